// Serves link.Link/Send on $PORT: JSON in, HTML out.
'use strict';

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { render } = require('./render');
const { traced, flush } = require('./zipkin');

const { link } = grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, 'link.proto'), { keepCase: true }));

function send(call, callback) {
  const traceparent = String(call.metadata.get('traceparent')[0] || '');
  try {
    const invoice = JSON.parse(call.request.data);
    const tags = { 'render.rows': String(invoice.rows.length) };
    const page = traced('render', traceparent, tags, () => render(invoice));
    callback(null, { data: Buffer.from(page), content_type: 'text/html; charset=utf-8' });
  } catch (error) {
    callback({ code: grpc.status.INVALID_ARGUMENT, details: `no invoice: ${error.message}` });
  }
}

const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
server.addService(link.Link.service, { send });
server.bindAsync(`127.0.0.1:${process.env.PORT || 8081}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
process.on('SIGTERM', () => server.tryShutdown(() => flush().then(() => process.exit(0))));
