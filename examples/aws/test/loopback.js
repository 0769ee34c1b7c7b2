// Loaded before a server that would listen on all interfaces: makes it listen on the loopback interface only.
const net = require('node:net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === 'object' && args[0] !== null && 'port' in args[0]) {
    args[0] = { ...args[0], host: '127.0.0.1' };
  } else if (typeof args[0] === 'number' || typeof args[0] === 'string') {
    const callback = args.find((arg) => typeof arg === 'function');
    args = [{ port: Number(args[0]), host: '127.0.0.1' }].concat(callback ? [callback] : []);
  }
  return listen.apply(this, args);
};
