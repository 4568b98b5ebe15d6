// node http_proxy_middleware.js PORT UPSTREAM: the example of http-proxy-middleware's README.
const express = require('express');
const { createProxyMiddleware } = require('http-proxy-middleware');

const app = express();
app.use('/', createProxyMiddleware({
  target: process.argv[3],
  changeOrigin: true,
  headers: { Authorization: 'Bearer key-of-the-benchmark' },
}));
app.listen(Number(process.argv[2]), '127.0.0.1');
