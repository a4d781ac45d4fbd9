// An agent in another language: jobs that last some milliseconds, and squares at once.
// Run as: node agent.js PORT DESCRIPTORS, where DESCRIPTORS is a FileDescriptorSet of flyteidl's agent service.
// It keeps Alula's conventions (docs/how-to/agents.md), so no job of it is ever left behind.
'use strict';

const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [port, descriptors] = process.argv.slice(2);
const options = { keepCase: true, longs: Number, enums: String, defaults: false, oneofs: true };
const loaded = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(descriptors), options);
const { flyteidl } = grpc.loadPackageDefinition(loaded);

const jobs = new Map(); // by idempotency key

function header(call, name) {
  const [value] = call.metadata.get(name);
  return value === undefined ? '' : value.toString();
}

// Out of a descriptor set, proto-loader reads a map as what it is on the wire: a list of keys and values.
function plain(map) {
  return Object.fromEntries((map || []).map(({ key, value }) => [key, value]));
}

function mapped(object) {
  return Object.entries(object).map(([key, value]) => ({ key, value }));
}

function struct(message) {
  const fields = Object.entries(plain(message && message.fields));
  return Object.fromEntries(fields.map(([name, value]) => [name, value[value.kind]]));
}

function integer(inputs, name) {
  return Number(plain(inputs.literals)[name].scalar.primitive.integer || 0);
}

function outputs(values) {
  const literals = Object.entries(values).map(([name, value]) => [name, { scalar: { primitive: { integer: value } } }]);
  return { literals: mapped(Object.fromEntries(literals)) };
}

function told(about) {
  const { labels, annotations, environment_variables: environment } = about;
  return {
    ...about,
    labels: plain(labels),
    annotations: plain(annotations),
    environment_variables: plain(environment),
  };
}

function failed(code, details) {
  return { code, details };
}

function createTask(call, done) {
  const key = header(call, 'alula-idempotency-key');
  if (header(call, 'alula-find') === '1') {
    return jobs.has(key)
      ? done(null, { resource_meta: Buffer.from(key) })
      : done(failed(grpc.status.NOT_FOUND, `no job was started under ${key}`));
  }
  const { template, inputs, task_execution_metadata: about } = call.request;
  if (template.type !== 'node_job') {
    return done(failed(grpc.status.NOT_FOUND, `cannot find an agent for task type ${template.type}`));
  }
  const wanted = struct(template.custom);
  if (!jobs.has(key)) {
    jobs.set(key, {
      about,
      ends: Date.now() + (wanted.millis || 0),
      mode: wanted.mode || 'ok',
      value: integer(inputs, 'a'),
      deleted: false,
    });
  }
  if (wanted.mode === 'mute') return undefined; // the job is there, and its answer never comes
  return done(null, { resource_meta: Buffer.from(key) });
}

function getTask(call, done) {
  const job = jobs.get(call.request.resource_meta.toString());
  if (job === undefined || job.deleted) return done(failed(grpc.status.NOT_FOUND, 'there is no such job'));
  const custom_info = { fields: mapped({ runtime: { string_value: `node ${process.versions.node}` } }) };
  if (Date.now() < job.ends) {
    return done(null, { resource: { phase: 'RUNNING', message: 'turning', custom_info } });
  }
  if (job.mode === 'fail') {
    const agent_error = { code: 'NodeFault', kind: 'RECOVERABLE', origin: 'SYSTEM' };
    return done(null, { resource: { phase: 'FAILED', message: 'the wheel broke', agent_error } });
  }
  if (job.mode === 'old') {
    return done(null, { resource: { state: 'SUCCEEDED', outputs: outputs({ o0: job.value }) } });
  }
  if (job.mode === 'about') {
    return done(null, { resource: { phase: 'FAILED', message: JSON.stringify(told(job.about)) } });
  }
  return done(null, { resource: { phase: 'SUCCEEDED', outputs: outputs({ o0: job.value * 3 }), custom_info } });
}

function deleteTask(call, done) {
  const job = jobs.get(call.request.resource_meta.toString());
  if (job !== undefined) job.deleted = true;
  return done(null, {});
}

function getTaskLogs(call) {
  call.write({ header: { token: 'next' } });
  call.write({ body: { structured_lines: [{ message: 'turned once' }, { message: 'turned twice' }] } });
  call.end();
}

function getTaskMetrics(call, done) {
  const data = { fields: mapped({ peak: { number_value: 0.75 } }) };
  return done(null, { results: call.request.queries.map((metric) => ({ metric, data })) });
}

function executeTaskSync(call) {
  const parts = [];
  call.on('data', (part) => parts.push(part));
  call.on('end', () => {
    const [{ header: head }, { inputs }] = parts;
    const value = integer(inputs, 'a');
    call.write({ header: { resource: { phase: 'SUCCEEDED' } } });
    call.write({ outputs: outputs({ o0: value * value }) });
    call.write({ outputs: outputs({ limit: Number(head.max_dataset_size_bytes) }) });
    if (value === 1000) {
      const large = { scalar: { primitive: { string_value: 'x'.repeat(1 << 20) } } };
      for (let i = 0; i < 12; i += 1) call.write({ outputs: { literals: mapped({ [`large${i}`]: large }) } });
    }
    call.end();
  });
}

const agents = [
  { name: 'node', is_sync: false, supported_task_categories: [{ name: 'node_job', version: 0 }] },
  { name: 'node-square', is_sync: true, supported_task_categories: [{ name: 'node_square', version: 0 }] },
];

function listAgents(call, done) {
  const metadata = new grpc.Metadata();
  metadata.set('alula-conventions', 'find');
  call.sendMetadata(metadata);
  return done(null, { agents });
}

function getAgent(call, done) {
  const agent = agents.find((one) => one.name === call.request.name);
  return agent ? done(null, { agent }) : done(failed(grpc.status.NOT_FOUND, 'there is no such agent'));
}

const server = new grpc.Server();
server.addService(flyteidl.service.AsyncAgentService.service, {
  createTask,
  getTask,
  deleteTask,
  getTaskLogs,
  getTaskMetrics,
});
server.addService(flyteidl.service.SyncAgentService.service, { executeTaskSync });
server.addService(flyteidl.service.AgentMetadataService.service, { listAgents, getAgent });
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
