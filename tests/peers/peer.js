// Node's side of `tests/peers/run`: awslabs' aws-kinesis-agg against `kinesis-agg`.
//
//   node peer.js read EVENTS AGGREGATES MAX_BYTES
//     deaggregates AGGREGATES (JSON Lines of {"PartitionKey", "ExplicitHashKey"?, "Data"}) with aws-kinesis-agg and
//     compares the user records with EVENTS, from which they were made
//   node peer.js select EVENTS
//     prints the lines of EVENTS that Node's aggregator handles correctly
//   node peer.js write EVENTS MAX_RECORDS
//     aggregates EVENTS with aws-kinesis-agg and prints such JSON Lines
//
// `read` prints the numbers of user records and of aggregates compared, and a note. At the first difference it prints a message
// and exits with status 1. The module is found through NODE_PATH.
'use strict';

const fs = require('fs');

const lines = (path) => fs.readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
const toEvent = (line) => {
  const event = JSON.parse(line);
  return {
    partitionKey: event.partitionKey,
    explicitHashKey: event.explicitHashKey ?? undefined,
    data: event.data === undefined ? Buffer.from(event.text) : Buffer.from(event.data, 'base64'),
  };
};

const fail = (message) => {
  console.error(message);
  process.exit(1);
};
const show = (value) => `${JSON.stringify(value)}`.slice(0, 300);
const agree = (what, expected, actual) => {
  if (expected !== actual) fail(`${what} differs:\n  expected ${show(expected)}\n  but got  ${show(actual)}`);
};

function read(eventsPath, aggregatesPath, maxBytes) {
  const { deaggregateSync } = require('aws-kinesis-agg');
  const expected = lines(eventsPath).map(toEvent);
  const aggregates = lines(aggregatesPath).map((line) => JSON.parse(line));
  let done = 0;
  let borrowed = 0;
  aggregates.forEach((ours, number) => {
    const size = Buffer.from(ours.Data, 'base64').length + Buffer.byteLength(ours.PartitionKey);
    if (size > Number(maxBytes)) fail(`aggregate ${number}: more than ${maxBytes} bytes, its partition key included`);

    // The `kinesis` member of a record as AWS Lambda delivers it; `true` asks for the digest to be checked.
    const record = { partitionKey: ours.PartitionKey, sequenceNumber: String(number), data: ours.Data };
    let users = [];
    deaggregateSync(record, true, (error, all) => {
      if (error) fail(`aggregate ${number}: Node fails: ${error.message}`);
      users = all;
    });
    if (users.length === 0) fail(`aggregate ${number}: Node found no user records`);
    const inputs = expected.slice(done, done + users.length);
    agree(`aggregate ${number}: user records from event ${done} on: their number`, inputs.length, users.length);

    const firstHashKey = inputs.find((input) => input.explicitHashKey !== undefined)?.explicitHashKey;
    users.forEach((user, sub) => {
      const input = inputs[sub];
      const what = `aggregate ${number}, event ${done + sub}`;
      agree(`${what}: sub-sequence number`, sub, user.subSequenceNumber); // absent if Node took it for a plain record
      agree(`${what}: partition key`, input.partitionKey, user.partitionKey);
      agree(`${what}: data`, input.data.toString('base64'), user.data);
      const theirs = user.explicitPartitionKey; // Node's name for the explicit hash key
      // Known defect of Node, as of Python: a user record without an explicit hash key gets entry 0 of the aggregate's
      // table, which is the first explicit hash key used in it. Only that wrong value is allowed.
      if (input.explicitHashKey === undefined && theirs !== undefined && theirs === firstHashKey) borrowed += 1;
      else agree(`${what}: explicit hash key`, input.explicitHashKey, theirs);
    });
    done += users.length;
  });
  agree('the number of user records', expected.length, done);
  console.log(`${done} ${aggregates.length} ${borrowed} hash keys from entry 0`);
}

// Known defect of Node's aggregator: its key tables are members of objects, and JavaScript lists members that look like array
// indexes ("42", but not "007" or 2^128-1) first, in numeric order. Record indexes then refer to the wrong keys. Such keys, of
// both kinds, are therefore not given to it.
const isArrayIndex = (key) => /^(0|[1-9][0-9]*)$/.test(key) && Number(key) < 2 ** 32 - 1;

function select(eventsPath) {
  for (const line of lines(eventsPath)) {
    const { partitionKey, explicitHashKey = '' } = toEvent(line);
    if (!isArrayIndex(partitionKey) && !isArrayIndex(explicitHashKey)) console.log(line);
  }
}

function write(eventsPath, maxRecords) {
  const { RecordAggregator } = require('aws-kinesis-agg');
  const aggregator = new RecordAggregator();
  const put = () => {
    // The capitalisation of these members really does differ.
    const { partitionKey, ExplicitHashKey, data } = aggregator.build();
    console.log(JSON.stringify({ PartitionKey: partitionKey, ExplicitHashKey, Data: data.toString('base64') }));
  };
  for (const event of lines(eventsPath).map(toEvent)) {
    // Its limit of 1 MiB cannot be lowered, so aggregates are also limited by the number of user records.
    if (aggregator.length() === Number(maxRecords) || !aggregator.checkIfUserRecordFits(event)) put();
    aggregator.addUserRecord(event);
  }
  if (aggregator.length() > 0) put();
}

const [command, ...rest] = process.argv.slice(2);
({ read, select, write })[command](...rest);
