import { createSocket } from 'node:dgram';
import process from 'node:process';

// Answers every question about a name with "no such name". In a network without a name server, programs that ask for
// names beyond the containers' own would wait for ever; Temporal's command line asks for TXT and SRV records at its start.
const [address] = process.argv.slice(2);
if (address === undefined) throw new Error('usage: no-names.ts ADDRESS');
const socket = createSocket('udp4');
socket.on('message', (question, from) => {
  const answer = Buffer.from(question);
  // A response, recursion available, with code 3 (NXDOMAIN); the question stands as it was asked.
  answer.writeUInt16BE(0x8183, 2);
  socket.send(answer, from.port, from.address);
});
socket.bind(53, address);
