// node cors_anywhere_keep_alive.js PORT: the README's example and a keep-alive agent.
const http = require('http');
const cors_proxy = require('cors-anywhere');

cors_proxy.createServer({
  originWhitelist: [],
  requireHeader: ['origin', 'x-requested-with'],
  removeHeaders: ['cookie', 'cookie2'],
  httpProxyOptions: { agent: new http.Agent({ keepAlive: true }) },
}).listen(Number(process.argv[2]), '127.0.0.1');
