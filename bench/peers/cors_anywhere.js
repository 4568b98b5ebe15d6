// node cors_anywhere.js PORT: the example of cors-anywhere's README.
const cors_proxy = require('cors-anywhere');

cors_proxy.createServer({
  originWhitelist: [],
  requireHeader: ['origin', 'x-requested-with'],
  removeHeaders: ['cookie', 'cookie2'],
}).listen(Number(process.argv[2]), '127.0.0.1');
