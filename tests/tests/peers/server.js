// An HTTP/2 server that takes leave of each connection after so many requests, and is replaced by a
// new one for each line on its standard input; it ends with it. Writes what it executes into a file.
const fs = require('node:fs');
const http2 = require('node:http2');
const readline = require('node:readline');

const [port, requests, file] = process.argv.slice(2);
const executed = fs.openSync(file, 'a');

function serve() {
  const server = http2.createServer();
  const sessions = new Set();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
    let left = Number(requests);
    session.on('stream', () => {
      left -= 1;
      if (left === 0) session.close();
    });
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    stream.on('end', () => {
      fs.writeSync(executed, `${headers[':method']} ${headers['x-call']}\n`);
      if (stream.destroyed) return;
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
  });
  server.listen(Number(port), '127.0.0.1');
  return { server, sessions };
}

let now = serve();
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', () => {
  const before = now;
  // It no longer listens once close() returns; what it has it finishes.
  before.server.close();
  now = serve();
  for (const session of before.sessions) session.close();
});
lines.on('close', () => process.exit(0));
