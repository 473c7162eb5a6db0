// A Modbus server by the npm package modbus-serial: the same registers as modbus_server.c beside it.
//
// node modbus_server.js PORT; the package is found by NODE_PATH. Prints "ready" when it listens.

const { ServerTCP } = require("modbus-serial");

const memory = Buffer.alloc(2000);
for (let at = 0; at < 1000; at++) memory.writeUInt16BE((at * 257 + 13) & 0xffff, 2 * at);

const swapWords = (four) => Buffer.concat([four.subarray(2), four.subarray(0, 2)]);
const float = (value) => {
    const four = Buffer.alloc(4);
    four.writeFloatBE(value);
    return four;
};
float(-1234.5).copy(memory, 1000);
swapWords(float(230.25)).copy(memory, 1004);
float(49.875).swap16().copy(memory, 1008);
swapWords(float(16777216.0)).swap16().copy(memory, 1012);

const registers = {
    getHoldingRegister: (address) => memory.readUInt16BE(2 * address),
    getInputRegister: (address) => 0xffff - address * 3,
};

const server = new ServerTCP(registers, { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 7 });
server.on("initialized", () => console.log("ready"));
