// Node's aws-kinesis-agg. worker.py documents the protocol. The module is found through NODE_PATH.
//
//   node node.js DIR lambda     as published: base64 in, and base64 of each user record's data out
//   node node.js DIR by-hand    only its message class (protobufjs) and Node's MD5 (OpenSSL)
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { RecordAggregator, deaggregateSync } = require('aws-kinesis-agg');
const { AggregatedRecord, magic } = require('aws-kinesis-agg/lib/common');

const [folder, variant] = process.argv.slice(2);
const md5 = (bytes) => crypto.createHash('md5').update(bytes).digest();

function readCorpus(name) {
  const payload = fs.readFileSync(path.join(folder, `${name}.payload`));
  const written = fs.readFileSync(path.join(folder, `${name}.records`));
  const records = [];
  for (let at = 0; at < written.length; ) {
    const key = at + 8;
    const data = key + written.readUInt32LE(at);
    at = data + written.readUInt32LE(at + 4);
    // Copied, because records that arrive one at a time do not share a buffer either.
    records.push({ partitionKey: written.toString('utf8', key, data), data: Buffer.from(written.subarray(data, at)) });
  }
  return { payload, records };
}

function digestOfRecords(records) {
  const digest = crypto.createHash('md5');
  for (const { partitionKey, data } of records) {
    const key = Buffer.from(partitionKey);
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(key.length, 0);
    lengths.writeUInt32LE(data.length, 4);
    digest.update(lengths).update(key).update(data);
  }
  return digest.digest('hex');
}

const lambda = {
  deaggregate({ payload }) {
    const record = { partitionKey: 'key', sequenceNumber: '1', data: payload.toString('base64') };
    const work = () => {
      let users;
      // `true` requests that the digest is checked.
      deaggregateSync(record, true, (error, all) => {
        if (error) throw error;
        users = all;
      });
      return users;
    };
    const decoded = (user) => ({ partitionKey: user.partitionKey, data: Buffer.from(user.data, 'base64') });
    return { work, check: () => digestOfRecords(work().map(decoded)) };
  },
  aggregate({ records }) {
    const work = () => {
      const aggregator = new RecordAggregator();
      for (const record of records) aggregator.addUserRecord(record);
      return aggregator.build().data;
    };
    return { work, check: () => md5(work()).toString('hex') };
  },
};

const byHand = {
  deaggregate({ payload }) {
    const walk = (visit) => {
      const body = payload.subarray(4, -16);
      if (!payload.subarray(0, 4).equals(magic) || !md5(body).equals(payload.subarray(-16))) {
        throw new Error('not aggregated');
      }
      const message = AggregatedRecord.decode(body);
      const keys = message.partition_key_table;
      for (const record of message.records) visit(keys[record.partition_key_index], record.data);
    };
    const work = () => {
      let sum = 0;
      walk((partitionKey, data) => (sum += partitionKey.length + data.length));
      return sum;
    };
    const check = () => {
      const records = [];
      walk((partitionKey, data) => records.push({ partitionKey, data }));
      return digestOfRecords(records);
    };
    return { work, check };
  },
  aggregate({ records }) {
    const work = () => {
      const indexes = new Map();
      const packed = records.map(({ partitionKey, data }) => {
        let index = indexes.get(partitionKey);
        if (index === undefined) {
          index = indexes.size;
          indexes.set(partitionKey, index);
        }
        return { partition_key_index: index, data };
      });
      const message = { partition_key_table: [...indexes.keys()], records: packed };
      const body = AggregatedRecord.encode(message).finish();
      return Buffer.concat([magic, body, md5(body)]);
    };
    return { work, check: () => md5(work()).toString('hex') };
  },
};

const operations = { lambda, 'by-hand': byHand }[variant];
const corpora = {};
const made = {};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [verb, operation, name, runs] = line.split(' ');
  corpora[name] ??= readCorpus(name);
  const { work, check } = (made[`${operation} ${name}`] ??= operations[operation](corpora[name]));
  if (verb === 'check') {
    console.log(check());
    return;
  }
  let last = work();
  const start = process.cpuUsage();
  for (let run = 0; run < Number(runs); run += 1) last = work();
  const took = process.cpuUsage(start);
  if (last === undefined) throw new Error('nothing was done');
  console.log(((took.user + took.system) * 1000) / Number(runs));
});
