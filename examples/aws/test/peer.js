// Deaggregates the records of a stream with awslabs' Node module.
//
// peer.js DUMP: JSON Lines of Kinesis records in, a line per user record out: sequence number, position, partition key, data.
const fs = require('node:fs');
const { deaggregateSync } = require('aws-kinesis-agg');

const lines = [];
for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
  const record = JSON.parse(line);
  const kinesis = {
    data: record.Data,
    partitionKey: record.PartitionKey,
    sequenceNumber: record.SequenceNumber,
  };
  deaggregateSync(kinesis, true, (error, users) => {
    if (error) throw error;
    users.forEach((user, position) => {
      const data = user.data;
      lines.push(`${record.SequenceNumber} ${position} ${user.partitionKey} ${data}`);
    });
  });
}
process.stdout.write(lines.map((line) => `${line}\n`).join(''));
