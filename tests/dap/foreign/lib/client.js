// Microsoft's DebugClient on a unix or tcp socket, with every message that comes in held against the protocol.
"use strict";
const net = require("node:net");
const { DebugClient } = require("@vscode/debugadapter-testsupport");
const { protocolSchema } = require("./schema");

const patience = 8000; // of one request or event, in milliseconds

class Client extends DebugClient {
  constructor() {
    super("", "", "trapline");
    this.defaultTimeout = patience;
    this.received = []; // all messages, in order
    this.complaints = []; // what was wrong with them
    this.commands = new Map(); // seq -> command, of what waits for an answer
    this.nextSeq = 0; // of the adapter; 0: any
    this.onReverse = undefined; // (request) -> body of the answer
    this.closed = false;
  }

  // address: a path, or {port}.
  static async connect(address) {
    const client = new Client();
    const socket = typeof address === "string" ? net.connect(address) : net.connect(address.port, "127.0.0.1");
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    client.socket = socket;
    socket.on("error", () => undefined); // a broken pipe shows as the close that follows
    client.whenClosed = new Promise((resolve) => socket.once("close", resolve));
    client.whenClosed.then(() => {
      client.closed = true;
      for (const give of client.giveUps ?? []) give();
    });
    client.connect(socket, socket);
    return client;
  }

  // The whole response, whether it is a success or not.
  request(command, args, timeout = patience) {
    return new Promise((resolve, reject) => {
      const give = (why) => {
        clearTimeout(timer);
        reject(new Error(`no answer to ${command}: ${why}`));
      };
      const timer = setTimeout(() => give(`after ${timeout} ms`), timeout);
      if (this.closed) return give("the connection is closed");
      (this.giveUps ??= []).push(() => give("the connection was closed"));
      this.doSend(command, args, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
    });
  }

  async send(command, args) {
    const response = await this.request(command, args);
    if (!response.success) throw Object.assign(new Error(response.body?.error?.format ?? response.message), { response });
    return response;
  }

  doSend(command, args, callback) {
    this.commands.set(this.sequence, command);
    super.doSend(command, args, callback);
  }

  write(text) {
    this.socket.write(text);
  }

  dispatch(text) {
    const message = JSON.parse(text);
    this.received.push(message);
    this.check(message);
    if (message.type === "request") this.answerReverse(message);
    else super.dispatch(text);
    if (message.type === "event") this.emit("any event", message);
  }

  check(message) {
    const say = (what) => this.complaints.push(`${what}\n    in ${JSON.stringify(message).slice(0, 600)}`);
    if (this.nextSeq !== 0 && message.seq !== this.nextSeq) say(`seq is ${message.seq}, due was ${this.nextSeq}`);
    this.nextSeq = message.seq + 1;
    let command;
    if (message.type === "response" && message.request_seq !== 0) {
      command = this.commands.get(message.request_seq);
      if (command === undefined) return say("an answer to nothing, or a second one");
      if (command !== message.command) say(`an answer of ${message.command} to ${command}`);
      this.commands.delete(message.request_seq);
      if (message.success === false && !(message.body?.error?.format ?? message.message)) say("an error without words");
    }
    for (const complaint of protocolSchema().complaints(message, command ?? message.command)) say(complaint);
  }

  answerReverse(request) {
    const answer = (rest) => {
      const json = JSON.stringify({ type: "response", seq: this.sequence++, request_seq: request.seq, command: request.command, ...rest });
      this.write(`Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`);
    };
    if (this.onReverse === undefined) return answer({ success: false, message: "this client has none" });
    Promise.resolve(this.onReverse(request)).then(
      (body) => answer({ success: true, body }),
      (error) => answer({ success: false, message: error.message }),
    );
  }

  // An event that has come already or comes in time. `matches` picks one; `from` is an index into `received`.
  event(name, matches = () => true, { from = 0, timeout = patience } = {}) {
    const fits = (message) => message.type === "event" && message.event === name && matches(message.body ?? {});
    const earlier = this.received.slice(from).find(fits);
    if (earlier !== undefined) return Promise.resolve(earlier);
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.off("any event", look);
      };
      const give = (why) => {
        done();
        const seen = this.received.slice(from).map((m) => m.event ?? `${m.type}:${m.command}`);
        reject(new Error(`no event ${name}: ${why}; came: ${seen.slice(-40).join(" ")}`));
      };
      const look = (message) => {
        if (!fits(message)) return;
        done();
        resolve(message);
      };
      const timer = setTimeout(() => give(`after ${timeout} ms`), timeout);
      this.on("any event", look);
      (this.giveUps ??= []).push(() => give("the connection was closed"));
    });
  }

  events(name) {
    return this.received.filter((m) => m.type === "event" && m.event === name);
  }

  mark() {
    return this.received.length;
  }

  // Output of one category so far, in one piece. A terminal's line ends come as \r\n; cases speak of \n.
  output(category) {
    return this.events("output")
      .filter((m) => (m.body.category ?? "console") === category)
      .map((m) => m.body.output)
      .join("")
      .replace(/\r\n/g, "\n");
  }

  async outputHas(category, text) {
    const has = () => (typeof text === "string" ? this.output(category).includes(text) : text.test(this.output(category)));
    while (!has()) await this.event("output", () => true, { from: this.mark() }).catch((e) => {
      throw new Error(`${category} has no ${text}: ${JSON.stringify(this.output(category))}; ${e.message}`);
    });
    return this.output(category);
  }

  hangUp() {
    this.socket.destroy();
    return this.whenClosed;
  }
}

exports.Client = Client;
exports.patience = patience;
