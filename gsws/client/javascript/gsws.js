// @ts-check
/**
 * The gsws client for browsers from 2022 on, and for Node.js with a `WebSocket`: calls, streams and pushes over a
 * connection that repairs itself. One file, no dependency.
 *
 *     import { connect } from "/gsws.js";
 *     const client = await connect();
 *     for await (const chunk of client.stream("websocket.stream", { message: "hello" })) show(chunk.text);
 *
 * @typedef {{eventtype: string, payload: any, seq?: number}} Frame One frame of an answer.
 * @typedef {{text: string, payload: any, seq?: number}} Chunk One `stream.chunk`; `text` is what to append.
 * @typedef {{eventtype: string, payload: any}} Push A frame that answers no request.
 *
 * @typedef {object} Options
 * @property {string} [clientId] Label of the connection.
 * @property {string | null | (() => string | Promise<string>)} [token] A token, or a function that gives a fresh one: it is
 *   asked for each connection, and before a JSON Web Token expires. What it throws is the client's end, unless the
 *   network failed.
 * @property {boolean} [resume] Whether to connect again and go on after a cut; true if left out.
 * @property {number | null} [timeout] Milliseconds for a call, and between two frames of a stream; 60,000 if left out,
 *   null for no deadline.
 * @property {{base?: number, cap?: number, patience?: number}} [backoff] Milliseconds: the first wait at most, every
 *   wait at most, and how long without a connection until the client gives up (250, 15,000, 120,000); time in which
 *   the device is offline or asleep does not count.
 * @property {number} [openTimeout] Milliseconds for one connection to be made; 10,000 if left out.
 * @property {boolean} [compact] Whether text that was missed in a cut comes as one chunk; false if left out.
 * @property {number} [buffer] Characters of one answer that may wait for their consumer; 16 Mi if left out.
 * @property {(state: "connected" | "reconnecting" | "closed") => void} [onState] Told how the connection is.
 * @property {(client: Client) => void} [onSession] Told of each new session: the first, and each that was not resumed.
 * @property {typeof WebSocket} [WebSocket] The class to use; the global one if left out.
 *
 * @typedef {{session: string, secret: string}} Share What another client of the same subject needs to follow streams.
 *
 * @typedef {object} FollowOptions
 * @property {number} [after] Number of the last frame that is known already; -1 if left out.
 * @property {boolean} [compact] Whether text that was there before comes as one chunk; true if left out. Without it,
 *   what the other client acknowledged before cannot be had.
 * @property {number | null} [timeout] Milliseconds for each frame; null for no deadline.
 * @property {AbortSignal} [signal] Aborting it stops following.
 *
 * @typedef {object} RequestOptions
 * @property {number | null} [timeout] Milliseconds; null for no deadline.
 * @property {AbortSignal} [signal] Aborting it cancels the request.
 * @property {string} [idempotencyKey] Makes the server answer a repeated request like the first.
 * @property {boolean} [idempotent] Whether it may run twice, so that it is sent again if a cut leaves it unknown.
 * @property {string} [id] The request's id.
 * @property {Record<string, any>} [meta] Further facts about the message.
 */

const TERMINAL = new Set(["reply", "stream.end", "stream.error"]);
/** 1009: the server's limit may be another one by now; what is too large for it is known then, and ends alone. */
const AGAIN = new Set([1001, 1005, 1006, 1009, 1012, 1013]);
const REPLACED = 4409;
const UNAUTHORIZED = 4501;
/** Close code of a client that comes back. */
const COME_BACK = 4000;
const ACKNOWLEDGED_CHARACTERS = 65536;
/** Milliseconds: how often to see whether the device slept, and what a server has to answer when that is in doubt. */
const TICK = 5000;
const DOUBT = 3000;
/** How often a request is sent again at most. */
const TRIES = 5;
const LONGEST_TIMER = 2 ** 31 - 1;

/** What options take; a time is one that a timer can wait for. */
const TIME = { takes: ["number"], least: 0, most: LONGEST_TIMER };
const LIMIT = { ...TIME, takes: ["number", "null"] };
const SIZE = { takes: ["number"], least: 0, most: Infinity };
const SWITCH = { takes: ["boolean"] };
const TEXT = { takes: ["string"] };
const FUNCTION = { takes: ["function"] };
const OBJECT = { takes: ["object"] };
const CLIENT_OPTIONS = { clientId: TEXT, token: { takes: ["string", "function", "null"] }, resume: SWITCH, timeout: LIMIT,
  backoff: OBJECT, openTimeout: TIME, compact: SWITCH, buffer: SIZE, onState: FUNCTION, onSession: FUNCTION,
  WebSocket: FUNCTION };
const BACKOFF_OPTIONS = { base: SIZE, cap: SIZE, patience: SIZE };
/** What an id may be is told where it is taken. */
const REQUEST_OPTIONS = { timeout: LIMIT, signal: OBJECT, idempotencyKey: TEXT, idempotent: SWITCH, id: {}, meta: OBJECT };
const FOLLOW_OPTIONS = { after: { ...SIZE, least: -1 }, compact: SWITCH, timeout: LIMIT, signal: OBJECT };

/** Whatever the client throws. */
export class GswsError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** The server answered with `stream.error`. */
export class RemoteError extends GswsError {
  /** @param {any} payload */
  constructor(payload) {
    super(String(payload.message ?? ""));
    this.payload = payload;
    /** Stable name, e.g. `schema_violation`. @type {string} */
    this.error = String(payload.error ?? "failed");
    /** @type {number} */
    this.code = Number.isInteger(payload.code) ? payload.code : 500;
    this.retryable = payload.retryable === true;
    /** @type {{pointer: string, keyword: string, message: string}[]} */
    this.errors = Array.isArray(payload.errors) ? payload.errors : [];
    this.data = payload.data;
    /** Milliseconds, or null. @type {number | null} */
    this.retryAfter = typeof payload.retry_after_ms === "number" ? payload.retry_after_ms : null;
  }
}

/** A stream ended before its handler was done. */
export class Interrupted extends GswsError {
  /** @param {any} payload */
  constructor(payload) {
    super(`the stream ended early: ${payload.reason}`);
    this.payload = payload;
    /** @type {string} */
    this.reason = String(payload.reason);
  }
}

/** An answer cannot be continued exactly: the server no longer holds its frames. */
export class ResumeLost extends GswsError {
  /** @param {string} id @param {number} seen */
  constructor(id, seen) {
    super(`the answer to "${id}" was lost after ${seen} frames; the server no longer holds the rest`);
    this.id = id;
    this.seen = seen;
  }
}

/** There is no connection any more, and will be none. */
export class ConnectionLost extends GswsError {
  /** @param {number} code @param {string} [reason] */
  constructor(code, reason = "") {
    super(`the connection was closed (${code}${reason ? " " + reason : ""})`);
    this.code = code;
    this.reason = reason;
  }
}

/** The answer, or the next frame of a stream, did not come in time. */
export class AnswerTimeout extends GswsError {
  /** @param {string} eventtype @param {number} milliseconds */
  constructor(eventtype, milliseconds) {
    super(`no answer to "${eventtype}" within ${milliseconds} ms`);
  }
}

/** More arrived than the consumer took: see `buffer`. */
export class Overflow extends GswsError {}

/** The client was closed by its own program. */
export class ClientClosed extends GswsError {
  constructor() {
    super("the client is closed");
  }
}

/** A queue with one consumer: values, then perhaps an error. @template T */
class Queue {
  /** @type {{value: T, size: number}[]} */
  #items = [];
  #head = 0;
  /** @type {unknown} */
  #failure;
  #failed = false;
  /** @type {(() => void) | null} */
  #wake = null;
  size = 0;

  /** @param {T} value @param {number} size */
  put(value, size) {
    this.#items.push({ value, size });
    this.size += size;
    this.#wake?.();
  }

  /** @param {unknown} failure */
  fail(failure) {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = failure;
    this.#wake?.();
  }

  clear() {
    this.#items = [];
    this.#head = this.size = 0;
  }

  /** @param {number | null | undefined} timeout @param {() => Error} late @returns {Promise<T>} */
  async get(timeout, late) {
    if (this.#head === this.#items.length && !this.#failed) {
      if (this.#wake) throw new GswsError("an answer has one consumer");
      /** @type {any} */
      let timer;
      const inTime = await new Promise((resolve) => {
        this.#wake = () => resolve(true);
        if (timeout != null) timer = setTimeout(() => resolve(false), timeout);
      });
      clearTimeout(timer);
      this.#wake = null;
      if (!inTime) throw late();
    }
    if (this.#head === this.#items.length) throw this.#failure;
    const { value, size } = this.#items[this.#head];
    this.#items[this.#head++] = /** @type {any} */ (undefined);
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    this.size -= size;
    return value;
  }
}

/** One request whose answer is read frame by frame. It has one consumer; leaving the loop early cancels it. */
export class Stream {
  /** The payload of the terminal frame once that came. @type {any} */
  result = null;
  /** Why the stream ended, or null. @type {string | null} */
  reason = null;
  #cancelled = false;
  #before = 0;
  #length = 0;
  #request;
  #client;
  #timeout;

  /** @param {any} client @param {any} request @param {number | null | undefined} timeout */
  constructor(client, request, timeout) {
    this.#client = client;
    this.#request = request;
    this.#timeout = timeout;
  }

  get id() {
    return this.#request.id;
  }

  /** Every frame of the answer, whatever its type. @returns {AsyncGenerator<Frame>} */
  async *frames() {
    const { queue, body } = this.#request;
    let whole = false;
    try {
      while (this.result === null) {
        const frame = await queue.get(this.#timeout, () => new AnswerTimeout(body.eventtype, this.#timeout ?? 0));
        this.#count(frame);
        if (TERMINAL.has(frame.eventtype)) this.#finish(frame);
        yield frame;
      }
      whole = true;
    } finally {
      if (!whole) this.close();
    }
  }

  /** The chunks. @returns {AsyncGenerator<Chunk>} */
  async *[Symbol.asyncIterator]() {
    for await (const { eventtype, payload, seq } of this.frames()) {
      if (eventtype === "stream.chunk") {
        yield { text: typeof payload.message === "string" ? payload.message : "", payload, seq };
      } else if (eventtype === "stream.snapshot") {
        const text = String(payload.message).slice(this.#before);
        yield { text, payload: { message: text }, seq };
      }
    }
  }

  /** The whole text: what the remaining chunks say, joined. */
  async text() {
    let text = "";
    for await (const chunk of this) text += chunk.text;
    return text;
  }

  /** Ask the server to stop; go on iterating to see what came before it did. */
  cancel() {
    this.#cancelled = true;
    this.#client.cancel(this.#request);
  }

  /** Take no more; the server is told if it still runs. @param {unknown} [reason] */
  close(reason) {
    this.#client.abandon(this.#request, reason ?? new ClientClosed());
  }

  /** Know how much of the text was taken, for a snapshot has all of it. @param {Frame} frame */
  #count(frame) {
    if (isText(frame)) {
      this.#length += String(frame.payload.message).length;
    } else if (frame.eventtype === "stream.snapshot") {
      this.#before = this.#length;
      this.#length = String(frame.payload.message).length;
    }
  }

  /** @param {Frame} frame */
  #finish({ eventtype, payload, seq }) {
    if (eventtype === "stream.error") throw new RemoteError(payload);
    if (eventtype === "stream.end") {
      this.reason = String(payload.reason ?? "complete");
      if (seq === 0 && this.reason === "complete" && payload.chunks) throw new ResumeLost(this.id, 0);
      const wanted = this.reason === "complete" || (this.reason === "cancelled" && this.#cancelled);
      if (!wanted) throw new Interrupted(payload);
    }
    this.result = payload;
  }
}

/**
 * How much a client may have at its server at a time (protocol P9.2), and what waits until there is room. Which bound an
 * event is under, its first answer tells; until then its requests count as streams. Within one kind the order is that
 * of the calls.
 */
class Window {
  /** Bytes of the largest message that the server takes. */ largest = Infinity;
  /** What the server takes unless it says otherwise. */ #bounded = 64;
  #queued = 1000;
  /** @type {Map<string, string>} */ #kinds = new Map();
  /** @type {Map<string, {kind: string, event: string}>} */ #atServer = new Map();
  /** @type {Record<string, number>} */ #count = { control: 0, queued: 0, bounded: 0, unknown: 0 };
  /** @type {Record<string, any[]>} */ #waiting = { control: [], queued: [], bounded: [], unknown: [] };
  /** @type {Record<string, number>} */ #heads = { control: 0, queued: 0, bounded: 0, unknown: 0 };

  /** Take the bounds from the server's first frame. @param {any} hello */
  hello({ max_message_bytes: largest, max_in_flight: running, max_queued: queued }) {
    this.largest = largest > 0 ? largest : Infinity;
    if (running > 0) this.#bounded = 2 * running; // as many may wait as may run
    if (queued > 0) this.#queued = queued;
  }

  /** @param {any} request */
  push(request) {
    this.#waiting[this.#kind(request)].push(request);
  }

  /** Let requests wait before others of their kind. @param {any[]} requests */
  putBack(requests) {
    for (const request of [...requests].reverse()) {
      const kind = this.#kind(request);
      this.#waiting[kind] = [request, ...this.#left(kind)];
      this.#heads[kind] = 0;
    }
  }

  /** @param {any} request */
  remove(request) {
    for (const kind of Object.keys(this.#waiting)) {
      const left = this.#left(kind);
      if (!left.includes(request)) continue;
      this.#waiting[kind] = left.filter((one) => one !== request);
      this.#heads[kind] = 0;
    }
  }

  clear() {
    for (const kind of Object.keys(this.#waiting)) this.#waiting[kind] = [];
    for (const kind of Object.keys(this.#heads)) this.#heads[kind] = 0;
  }

  /** The request to be sent next; undefined if nothing waits, or nothing for which there is room. @returns {any} */
  next() {
    for (const kind of Object.keys(this.#waiting)) {
      const waiting = this.#waiting[kind];
      if (this.#heads[kind] === waiting.length || !this.#hasRoom(kind)) continue;
      const request = waiting[this.#heads[kind]++];
      if (this.#heads[kind] > 1024 || this.#heads[kind] === waiting.length) {
        this.#waiting[kind] = this.#left(kind);
        this.#heads[kind] = 0;
      }
      this.#atServer.set(request.id, { kind, event: request.body.eventtype });
      this.#count[kind]++;
      return request;
    }
    return undefined;
  }

  /** The server has ended a request, or never had it. @param {string} id */
  done(id) {
    const known = this.#atServer.get(id);
    if (!known) return;
    this.#atServer.delete(id);
    this.#count[known.kind]--;
  }

  /** A connection is new: the server has these of what it had. @param {Set<string>} ids */
  keep(ids) {
    for (const id of [...this.#atServer.keys()]) if (!ids.has(id)) this.done(id);
  }

  /** See what an event is by the first frame of an answer. @param {any} request @param {string} first */
  learn(request, first) {
    const kind = first === "reply" ? "queued" : "bounded";
    const before = this.#kind(request);
    if (!["reply", "stream.start", "too_many_requests"].includes(first)) return;
    if (before === "control" || before === "bounded" || before === kind) return;
    const event = request.body.eventtype;
    if (this.#kinds.size >= 1000) this.#kinds.clear();
    this.#kinds.set(event, kind);
    for (const known of this.#atServer.values()) {
      if (known.event !== event || known.kind !== before) continue;
      known.kind = kind;
      this.#count[before]--;
      this.#count[kind]++;
    }
    const left = this.#left(before);
    const isOf = (/** @type {any} */ one) => one.body.eventtype === event;
    this.#waiting[before] = left.filter((one) => !isOf(one));
    this.#heads[before] = 0;
    this.#waiting[kind].push(...left.filter(isOf));
  }

  /**
   * See that the server took no more than it has now; whether there is something there whose end can be waited for.
   *
   * @param {any} request
   */
  refused(request) {
    this.done(request.id);
    this.learn(request, "too_many_requests");
    const running = this.#count.unknown + this.#count.bounded;
    this.#bounded = Math.max(1, running);
    return running > 0;
  }

  /** @param {string} kind */
  #left(kind) {
    return this.#waiting[kind].slice(this.#heads[kind]);
  }

  /** @param {any} request */
  #kind(request) {
    return request.follow ? "control" : this.#kinds.get(request.body.eventtype) ?? "unknown";
  }

  /** @param {string} kind */
  #hasRoom(kind) {
    const { queued, bounded, unknown } = this.#count;
    if (kind === "control") return true;
    if (kind === "queued") return queued < this.#queued;
    // One of an event that nobody knows is tried in any case: it may be a plain one, which waits elsewhere.
    return unknown + bounded < this.#bounded || (kind === "unknown" && unknown === 0);
  }
}

/** What runs below a `Client`: connections, one after the other, and what waits for them. */
class Session {
  /** @type {any} */ socket = null;
  /** @type {string | null} */ id = null;
  secret = "";
  connections = 0;
  /** @type {unknown} */ failure = null;
  /** @type {Map<string, any>} */ pending = new Map();
  /** Ids of requests that nobody reads any more, and whether they were followed. @type {Map<string, boolean>} */
  orphans = new Map();
  /** Ids of followed streams that are to stop, until the server has confirmed it. @type {Set<string>} */
  unfollowing = new Set();
  /** What is to be followed again after that. @type {Map<string, any>} */
  deferred = new Map();
  unsent = new Window();
  /** @type {Map<string, number>} */ acknowledged = new Map();
  /** @type {Set<Queue<Push>>} */ subscribers = new Set();
  attempt = 0;
  draining = 0;
  /** How many messages were sent on the connection. */
  written = 0;
  leaving = false;
  count = 0;
  prefix = Math.random().toString(36).slice(2, 10);
  /** @type {any} */ flushing;
  /** @type {any} */ renewal;
  /** @type {(() => void) | null} */ hurry = null;
  /** Find out whether the connection still stands. @type {(() => void) | null} */ probe = null;
  /** @type {((code: number, reason: string) => void) | null} */ finish = null;

  /** @param {string} url @param {Options} options @param {Client} client */
  constructor(url, options, client) {
    this.url = url;
    this.options = options;
    this.client = client;
    this.networkChanged = () => {
      this.attempt = 0;
      this.hurry?.();
      this.probe?.();
    };
    for (const name of ["online", "offline"]) globalThis.addEventListener?.(name, this.networkChanged);
  }

  // Requests.

  /** @param {any} body @param {RequestOptions} options */
  submit(body, options) {
    return this.make(options.id ?? this.newId(), body, options, null);
  }

  /** @param {string} id @param {any} body @param {any} options @param {any} follow */
  make(id, body, options, follow) {
    if (this.failure) throw this.failure;
    if (typeof id !== "string" || id.length < 1 || id.length > 64 || /[\ud800-\udfff]/u.test(id)) {
      throw new RangeError("an id is a text of 1 to 64 characters, none of them half a surrogate pair");
    }
    const left = follow && this.unfollowing.has(id);
    if (this.pending.has(id) || this.deferred.has(id) || (this.orphans.has(id) && !left)) {
      throw new RangeError(`the id "${id}" is in use`);
    }
    options.signal?.throwIfAborted();
    const again = options.idempotent === true || options.idempotencyKey !== undefined;
    const request = { id, body, again, follow, sent: false, number: 0, tries: 0, cancelled: false, ended: false,
      compact: false, last: follow ? follow.after : -1, seen: 0, size: 0, gaps: 0, queue: new Queue() };
    options.signal?.addEventListener("abort", () => this.abandon(request, options.signal?.reason), { once: true });
    if (left) this.deferred.set(id, request); // what is still under way belongs to the one before
    else this.begin(request);
    return request;
  }

  /** @param {any} request */
  begin(request) {
    this.pending.set(request.id, request);
    this.unsent.push(request);
    this.write();
  }

  newId() {
    return `${this.prefix}-${++this.count}`;
  }

  /** @param {any} request */
  cancel(request) {
    if (request.ended || request.cancelled) return;
    request.cancelled = true;
    if (request.sent) {
      if (request.follow) this.unfollowing.add(request.id);
      this.say(request.follow ? "gsws.unfollow" : "gsws.cancel", { id: request.id });
    } else if (this.deferred.get(request.id) === request) {
      this.deferred.delete(request.id);
      this.finishCancelled(request);
    } else {
      this.unsent.remove(request);
      this.end(request);
    }
  }

  /** @param {any} request @param {unknown} reason */
  abandon(request, reason) {
    if (!request.ended) {
      this.cancel(request);
      if (request.sent && this.pending.delete(request.id)) this.orphans.set(request.id, request.follow !== null);
      request.ended = true;
    }
    request.queue.clear();
    request.queue.fail(reason);
    this.leaveIfIdle();
  }

  /** End a request that the server does not have. @param {any} request */
  end(request) {
    this.pending.delete(request.id);
    this.unsent.done(request.id);
    this.finishCancelled(request);
  }

  /** @param {any} request */
  finishCancelled(request) {
    request.ended = true;
    request.queue.put({ eventtype: "stream.end", payload: { message: "", reason: "cancelled", chunks: 0 } }, 0);
  }

  /** @param {any} request @param {boolean} unknown */
  lost(request, unknown) {
    this.pending.delete(request.id);
    this.unsent.done(request.id);
    if (request.cancelled) {
      this.end(request);
    } else if (request.seen === 0 && (unknown || request.again) && !request.follow && request.tries < TRIES) {
      request.id = this.newId();
      request.sent = false;
      request.tries++;
      this.pending.set(request.id, request);
      this.unsent.push(request);
      this.write();
    } else {
      request.ended = true;
      request.queue.fail(new ResumeLost(request.id, request.seen));
    }
  }

  /**
   * The server runs too many requests of this client: send this one again after a while.
   *
   * @param {any} request
   * @param {any} wait
   */
  putOff(request, wait) {
    this.pending.delete(request.id);
    const mayWait = this.unsent.refused(request);
    request.id = this.newId();
    request.sent = false;
    request.last = -1;
    this.pending.set(request.id, request);
    setTimeout(() => {
      if (this.pending.get(request.id) !== request || request.sent || this.failure) return;
      this.unsent.push(request);
      this.write();
    }, mayWait ? 0 : wait > 0 && wait < 60000 ? wait : 1000);
  }

  /** The server takes no more of this connection, and took so many messages of it. @param {number} taken */
  reclaim(taken) {
    const late = [...this.pending.values()].filter((one) => one.sent && one.number > taken && !one.follow);
    for (const request of late) {
      if (request.cancelled) this.end(request);
      else request.sent = false;
      this.unsent.done(request.id);
    }
    this.unsent.putBack(late.filter((one) => !one.sent));
  }

  // Writing.

  /** @param {string} eventtype @param {any} payload */
  say(eventtype, payload) {
    this.send({ eventtype, payload });
  }

  /** @param {any} message */
  send(message) {
    this.sendText(JSON.stringify(message));
  }

  /** @param {string} text */
  sendText(text) {
    if (!this.socket) return;
    this.written++;
    this.socket.send(text);
  }

  /** Send requests while the server takes them. */
  write() {
    while (this.socket && !this.draining) {
      const request = this.unsent.next();
      if (!request) return;
      const number = this.written + 1;
      if (request.follow) {
        const { share, compact } = request.follow;
        request.compact = compact;
        this.say("gsws.follow", { ...share, streams: { [request.id]: request.last }, compact });
      } else {
        const text = JSON.stringify({ ...request.body, id: request.id });
        const size = bytesOf(text, this.unsent.largest);
        if (size > this.unsent.largest) {
          this.refuse(request, size);
          continue;
        }
        this.sendText(text);
      }
      request.sent = true;
      request.number = number;
    }
  }

  /** End a request that the server would close the connection for (P7.3). @param {any} request @param {number} size */
  refuse(request, size) {
    this.pending.delete(request.id);
    this.unsent.done(request.id);
    request.ended = true;
    const message = `the message has ${size} bytes; the server takes ${this.unsent.largest} at most`;
    const payload = { message, error: "too_large", code: 413, retryable: false };
    request.queue.put({ eventtype: "stream.error", payload }, 0);
  }

  /** @param {any} [id] @param {number} [seq] */
  acknowledge(id, seq) {
    if (id !== undefined) this.acknowledged.set(id, Number(seq));
    if (id !== undefined && this.acknowledged.size < 64) {
      this.flushing ??= setTimeout(() => this.acknowledge(), 1000);
      return;
    }
    clearTimeout(this.flushing);
    this.flushing = undefined;
    if (!this.socket) return;
    for (const [one, last] of this.acknowledged) this.say("gsws.ack", { id: one, seq: last });
    this.acknowledged.clear();
  }

  // Reading.

  /** @param {any} frame @param {number} size */
  take(frame, size) {
    const { eventtype, id, seq, payload } = frame;
    if (eventtype.startsWith("gsws.")) {
      if (eventtype === "gsws.draining") this.drain(payload);
      if (eventtype === "gsws.unfollowed") this.unfollowed(String(payload.id));
      return;
    }
    const request = this.pending.get(id);
    if (request) {
      this.answer(request, frame, size);
    } else if (this.orphans.has(id)) {
      // Of what was followed, the server's word that it sends no more is still to come.
      if (!TERMINAL.has(eventtype) || this.orphans.get(id)) return;
      if (Number.isInteger(seq)) this.acknowledge(id, seq);
      this.orphans.delete(id);
      this.unsent.done(id);
      this.write();
    } else if (id === undefined || !(eventtype.startsWith("stream.") || eventtype === "reply")) {
      this.attempt = 0;
      for (const queue of this.subscribers) {
        queue.put({ eventtype, payload }, size);
        if (queue.size > (this.options.buffer ?? 2 ** 24)) {
          this.subscribers.delete(queue);
          queue.fail(new Overflow("more pushes arrived than were taken"));
        }
      }
    }
  }

  /** @param {string} id */
  unfollowed(id) {
    this.unfollowing.delete(id);
    if (!this.orphans.delete(id) && this.pending.has(id)) {
      this.end(this.pending.get(id));
      this.leaveIfIdle();
    }
    const again = this.deferred.get(id);
    this.deferred.delete(id);
    if (again) this.begin(again);
  }

  /** @param {any} request @param {any} frame @param {number} size */
  answer(request, { eventtype, seq, payload }, size) {
    const numbered = Number.isInteger(seq);
    if (!numbered && eventtype === "stream.error") {
      // What was followed before and may not be now has ended with its session.
      const gone = payload.error === "forbidden" && request.follow && request.seen > 0;
      if (payload.error === "resume_lost" || gone) return this.lost(request, payload.retryable === true);
      if (payload.error === "unknown_id" && request.cancelled) return this.end(request);
    }
    if (isTooLate({ eventtype, payload }) && !request.follow) return this.lost(request, true);
    if (request.seen === 0 && !request.follow && !request.cancelled) {
      if (eventtype === "stream.error" && payload.limit === "in_flight") {
        return this.putOff(request, payload.retry_after_ms);
      }
      this.unsent.learn(request, eventtype);
    }
    if (numbered && seq <= request.last) return;
    const text = isText({ eventtype, payload });
    // Of a compact answer, what is left out is text, and the snapshot that has it is still to come or is this.
    const leftOut = request.compact && !text && !TERMINAL.has(eventtype);
    if (numbered && seq > request.last + 1 && !leftOut) {
      if (++request.gaps > 3) this.lost(request, false);
      else this.finish?.(1006, "frames are missing");
      return;
    }
    this.attempt = 0;
    if (numbered) request.last = seq;
    if (text || eventtype === "stream.snapshot") request.compact = false;
    request.seen++;
    request.size += size;
    request.ended = TERMINAL.has(eventtype);
    if (request.ended) {
      this.pending.delete(request.id);
      this.unsent.done(request.id);
    }
    request.queue.put({ eventtype, payload, seq }, size);
    if (numbered && (request.ended || request.size >= ACKNOWLEDGED_CHARACTERS)) {
      request.size = 0;
      if (!request.follow) this.acknowledge(request.id, seq);
    }
    if (request.ended) {
      this.write();
      this.leaveIfIdle();
    } else if (request.queue.size > (this.options.buffer ?? 2 ** 24)) {
      this.abandon(request, new Overflow("more of the answer arrived than was taken"));
    }
  }

  /** @param {any} payload */
  drain(payload) {
    this.draining = Date.now() + Math.min(Math.max(Number(payload.reconnect_in_ms) || 0, 1), 600000);
    setTimeout(() => this.leaveIfIdle(), this.draining - Date.now() + 5);
    if (Number.isInteger(payload.taken)) this.reclaim(payload.taken);
  }

  /** Leave a server that drains once nothing runs there and the time that it named has come. */
  leaveIfIdle() {
    if (!this.draining || !this.socket || this.leaving || Date.now() < this.draining) return;
    if ([...this.pending.values()].some((request) => request.sent)) return;
    this.leaving = true;
    this.socket.close(COME_BACK);
  }

  // Connections.

  /**
   * Connect once, and resume.
   * @returns {Promise<Promise<ConnectionLost>>} Inside: how the connection ended.
   */
  async open() {
    const { options } = this;
    const token = await this.token();
    if (this.failure) throw this.failure;
    const Socket = options.WebSocket ?? globalThis.WebSocket;
    const url = new URL(this.url);
    if (options.clientId !== undefined) url.searchParams.set("clientId", options.clientId);
    const protocols = ["gsws.v1"];
    if (token !== undefined) protocols.push(`gsws.token.${base64url(token)}`);
    const socket = new Socket(url.href, protocols);
    return new Promise((resolve, reject) => {
      let isOpen = false;
      /** @type {any} */ let fresh = null;
      /** @type {any} */ let beat;
      /** @type {any} */ let doubt;
      let resumes = 0;
      let heard = Date.now();
      let allowed = Infinity;
      /** @type {(ended: ConnectionLost) => void} */ let settle;
      /** @type {Promise<ConnectionLost>} */
      const ended = new Promise((done) => (settle = done));
      const finish = (/** @type {number} */ code, /** @type {string} */ reason) => {
        socket.onmessage = socket.onclose = null;
        socket.onerror = () => {}; // `ws` would throw what nobody hears
        clearTimeout(deadline);
        clearInterval(beat);
        clearTimeout(doubt);
        if (this.finish === finish) this.finish = null;
        if (this.socket === socket) {
          this.socket = this.probe = null;
          clearTimeout(this.renewal);
        }
        try {
          // P6.7: a client that has ended says goodbye; any other comes back.
          socket.close(this.failure ? 1000 : COME_BACK);
        } catch {
          // it never opened
        }
        const error = new ConnectionLost(code, reason);
        if (isOpen) settle(error);
        else reject(error);
      };
      this.finish = finish;
      const silent = () => finish(1006, "the server is silent");
      const ask = (/** @type {number} */ milliseconds) => {
        if (milliseconds >= allowed) return; // asked already
        this.say("gsws.ping", {});
        clearTimeout(doubt);
        allowed = milliseconds;
        doubt = setTimeout(silent, allowed);
      };
      const deadline = setTimeout(() => finish(1006, "no connection in time"), options.openTimeout ?? 10000);
      const begin = (/** @type {boolean} */ isNew) => {
        clearTimeout(deadline);
        isOpen = true;
        this.connections++;
        this.socket = socket;
        this.written = resumes;
        this.unsent.keep(new Set([...this.pending.values()].filter((one) => one.sent).map((one) => one.id)));
        for (const [id, followed] of this.orphans) if (!followed) this.say("gsws.cancel", { id });
        this.orphans.clear();
        this.unfollowing.clear();
        for (const one of this.deferred.values()) this.begin(one);
        this.deferred.clear();
        for (const one of [...this.pending.values()]) {
          one.number = 0;
          if (!one.sent) continue;
          if (one.follow && one.cancelled) {
            this.end(one);
          } else if (one.follow) {
            one.sent = false;
            this.unsent.push(one);
          } else if (one.cancelled) {
            this.say("gsws.cancel", { id: one.id });
          }
        }
        const every = Math.max(1000, Number(fresh.heartbeat_ms) || 20000);
        const tick = Math.min(every, TICK);
        let ticked = Date.now();
        beat = setInterval(() => {
          const slept = Date.now() - ticked > 3 * tick;
          ticked = Date.now();
          if (slept) ask(Math.min(every, DOUBT));
          else if (ticked - heard > every - tick) ask(every);
        }, tick);
        this.probe = () => ask(Math.min(every, DOUBT));
        this.renewLater(token);
        this.acknowledge();
        resolve(/** @type {any} */ ({ ended }));
        options.onState?.("connected");
        if (isNew) options.onSession?.(this.client);
        this.write();
      };
      socket.onclose = (/** @type {any} */ event) => finish(event.code, event.reason);
      socket.onerror = () => {}; // `close` follows
      socket.onmessage = (/** @type {any} */ event) => {
        heard = Date.now();
        const frame = parsed(event.data);
        if (allowed !== Infinity) {
          // What comes before the answer may have been under way when the connection broke.
          clearTimeout(doubt);
          if (frame?.eventtype === "gsws.pong") allowed = Infinity;
          else doubt = setTimeout(silent, allowed);
        }
        if (!frame) return;
        if (isOpen) {
          this.take(frame, event.data.length);
        } else if (frame.eventtype === "gsws.hello" && !fresh) {
          fresh = frame.payload;
          this.unsent.hello(fresh);
          if (this.id === null) {
            ({ session: this.id, secret: this.secret } = fresh);
            begin(true);
          } else {
            /** @type {Record<string, number>} */
            const streams = {};
            const compact = options.compact === true;
            for (const one of this.pending.values()) {
              if (!one.sent || one.follow) continue;
              streams[one.id] = one.last;
              one.compact = compact;
            }
            const payload = { session: this.id, secret: this.secret, streams, ...(compact ? { compact } : {}) };
            resumes = 1;
            socket.send(JSON.stringify({ eventtype: "gsws.resume", payload }));
          }
        } else if (frame.eventtype === "gsws.resumed" && fresh) {
          const { session, streams } = frame.payload;
          const goesOn = session === undefined ? Object.keys(streams ?? {}).length > 0 : session === this.id;
          if (!goesOn) {
            ({ session: this.id, secret: this.secret } = fresh);
            this.acknowledged.clear();
          }
          begin(!goesOn);
        }
      };
    });
  }

  /** A fresh token. @returns {Promise<string | undefined>} */
  async token() {
    const { token } = this.options;
    if (typeof token !== "function") return token ?? undefined;
    try {
      return await token();
    } catch (error) {
      // `fetch` throws a `TypeError` where there is no network, and a deadline may be over: try again.
      const mayPass = error instanceof TypeError || /** @type {any} */ (error)?.name === "TimeoutError";
      throw mayPass ? new ConnectionLost(1006, `no token: ${/** @type {Error} */ (error).message}`) : error;
    }
  }

  /** Renew a JSON Web Token on the open connection before it expires. @param {string | undefined} token */
  renewLater(token) {
    clearTimeout(this.renewal);
    const wait = typeof this.options.token === "function" ? renewIn(token) : null;
    if (wait === null) return;
    const { socket } = this;
    this.renewal = setTimeout(async () => {
      // Without a fresh one the connection ends with the old one; what the function throws then is what counts.
      const fresh = await this.token().catch(() => token);
      if (this.socket !== socket) return;
      if (fresh !== token) this.say("gsws.auth", { token: fresh });
      this.renewLater(fresh);
    }, wait);
  }

  /** Connect again and again until the client ends. @param {Promise<ConnectionLost>} ended */
  async run(ended) {
    try {
      for (;;) {
        const error = await ended;
        if (this.failure) return;
        this.options.onState?.("reconnecting");
        ended = (await this.again(error)).ended;
      }
    } catch (error) {
      this.stop(error);
    }
  }

  /** @param {ConnectionLost} error @returns {Promise<any>} */
  async again(error) {
    const { base = 250, cap = 15000, patience = 120000 } = this.options.backoff ?? {};
    let stale = error.code === UNAUTHORIZED && typeof this.options.token === "function";
    const may = (/** @type {number} */ code) => AGAIN.has(code) || (code >= 4000 && code < 4500 && code !== REPLACED);
    if (this.options.resume === false || !(may(error.code) || this.leaving || stale)) throw error;
    this.leaving = false;
    let wait = Math.max(0, this.draining - Date.now());
    let spent = -wait;
    for (;;) {
      wait += Math.random() * Math.min(cap, base * 2 ** Math.min(this.attempt, 30));
      spent += wait;
      if (globalThis.navigator?.onLine === false) spent = 0;
      else if (spent > patience) throw error;
      this.attempt++;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, wait);
        this.hurry = () => (clearTimeout(timer), resolve(undefined));
      });
      this.hurry = null;
      if (this.failure) throw this.failure;
      this.draining = wait = 0;
      const begun = Date.now();
      try {
        return await this.open();
      } catch (failure) {
        if (!(failure instanceof ConnectionLost) || !may(failure.code)) throw failure;
        error = failure;
        spent += Math.min(Date.now() - begun, this.options.openTimeout ?? 10000);
      }
    }
  }

  /** @param {unknown} reason */
  stop(reason) {
    if (this.failure) return;
    this.failure = reason;
    clearTimeout(this.flushing);
    for (const name of ["online", "offline"]) globalThis.removeEventListener?.(name, this.networkChanged);
    for (const request of [...this.pending.values(), ...this.deferred.values()]) {
      request.ended = true;
      request.queue.fail(reason);
    }
    this.pending.clear();
    this.deferred.clear();
    this.unsent.clear();
    for (const queue of this.subscribers) queue.fail(reason);
    this.subscribers.clear();
    this.finish?.(1000, "");
    this.hurry?.();
    this.options.onState?.("closed");
  }
}

/** A client of one server: made by `connect`. */
export class Client {
  #session;
  #options;

  /** @param {string} url @param {Options} options */
  constructor(url, options) {
    this.#options = options;
    this.#session = new Session(url, options, this);
  }

  /** The session's id on the server. */
  get session() {
    return this.#session.id;
  }

  /** Whether there is a connection now; requests may be made without one, and wait for it. */
  get isConnected() {
    return this.#session.socket !== null;
  }

  /** How many connections were made so far. */
  get connections() {
    return this.#session.connections;
  }

  /** Make the first connection; `connect` does it. */
  async open() {
    try {
      const { ended } = /** @type {any} */ (await this.#session.open());
      this.#session.run(ended);
    } catch (error) {
      this.#session.stop(error);
      throw error;
    }
    return this;
  }

  /**
   * Send a request and wait for its answer: the reply's `data`, or the text of a stream.
   *
   * @param {string} event
   * @param {any} [payload]
   * @param {RequestOptions} [options] `timeout` is for the whole answer.
   * @returns {Promise<any>}
   */
  async call(event, payload = null, options = {}) {
    check("a request", REQUEST_OPTIONS, options);
    const limit = this.#limit(options);
    const stream = this.#ask(event, payload, options, null);
    const timer = limit === null ? undefined : setTimeout(() => stream.close(new AnswerTimeout(event, limit)), limit);
    try {
      const text = await stream.text();
      return stream.reason === null ? stream.result.data : text;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Send a request whose answer is read as it streams: `for await (const chunk of stream) …`.
   *
   * @param {string} event
   * @param {any} [payload]
   * @param {RequestOptions} [options] `timeout` is for each frame.
   * @returns {Stream}
   */
  stream(event, payload = null, options = {}) {
    check("a request", REQUEST_OPTIONS, options);
    return this.#ask(event, payload, options, this.#limit(options));
  }

  /** @param {string} event @param {any} payload @param {RequestOptions} options @param {number | null} limit */
  #ask(event, payload, options, limit) {
    const meta = { ...options.meta };
    if (options.idempotencyKey !== undefined) meta.idempotency_key = options.idempotencyKey;
    const body = { eventtype: event, payload, ...(Object.keys(meta).length ? { meta } : {}) };
    return new Stream(this.#session, this.#session.submit(body, options), limit);
  }

  /**
   * What another client of the same subject needs to follow streams of this session. Whoever has it may also take the
   * session over.
   *
   * @returns {Share}
   */
  share() {
    return { session: String(this.#session.id), secret: this.#session.secret };
  }

  /**
   * Read a stream of another session beside its own client; leaving the loop stops following, and nothing else.
   *
   * @param {Share} share Of the session's own client.
   * @param {string} id The stream's id there (`stream.id`).
   * @param {FollowOptions} [options]
   * @returns {Stream}
   */
  follow({ session, secret }, id, options = {}) {
    check("follow", FOLLOW_OPTIONS, options);
    const follow = { share: { session, secret }, after: options.after ?? -1, compact: options.compact !== false };
    const request = this.#session.make(id, { eventtype: "gsws.follow" }, options, follow);
    return new Stream(this.#session, request, this.#limit(options));
  }

  /** @param {{timeout?: number | null}} options @returns {number | null} */
  #limit({ timeout = this.#options.timeout }) {
    return timeout === undefined ? 60000 : timeout;
  }

  /** What the server sends without being asked, from now on. @returns {AsyncGenerator<Push>} */
  pushes() {
    const session = this.#session;
    if (session.failure) throw session.failure;
    /** @type {Queue<Push>} */
    const queue = new Queue();
    session.subscribers.add(queue);
    return (async function* () {
      try {
        for (;;) yield await queue.get(null, () => new ClientClosed());
      } catch (error) {
        if (!(error instanceof ClientClosed)) throw error;
      } finally {
        session.subscribers.delete(queue);
      }
    })();
  }

  /** Renew the connection's credential in band; a `token` function is asked in time anyway. @param {string} token */
  authenticate(token) {
    if (typeof this.#options.token !== "function") this.#options.token = token;
    this.#session.say("gsws.auth", { token });
    this.#session.renewLater(token);
  }

  /** Close the connection; what still runs fails with `ClientClosed`, and the server cancels it. */
  close() {
    this.#session.stop(new ClientClosed());
  }
}

/**
 * Connect to a server.
 *
 * @param {string} [url] `ws://` or `wss://`; the page's own host if left out.
 * @param {Options} [options]
 * @throws {TypeError} If an option is unknown or of another type; `RangeError` if it is out of its bounds.
 * @returns {Promise<Client>}
 */
export async function connect(url, options = {}) {
  check("connect", CLIENT_OPTIONS, options);
  check("backoff", BACKOFF_OPTIONS, options.backoff ?? {});
  return new Client(url ?? location.origin.replace(/^http/, "ws") + "/", { ...options }).open();
}

/**
 * Refuse options that are unknown, of another type or out of bounds; what is `undefined` is left out.
 *
 * @param {string} of Whose options they are.
 * @param {Record<string, {takes?: string[], least?: number, most?: number}>} kinds
 * @param {any} options
 */
function check(of, kinds, options) {
  if (typeof options !== "object" || options === null) throw new TypeError(`the options of ${of} are an object`);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(kinds, name)) {
      throw new TypeError(`"${name}" is no option of ${of}: it takes ${Object.keys(kinds).join(", ")}`);
    }
    const { takes, least = 0, most = 0 } = kinds[name];
    if (!takes || value === undefined) continue;
    const type = value === null ? "null" : typeof value;
    if (!takes.includes(type)) throw new TypeError(`"${name}" of ${of} is a ${takes.join(" or ")}, not ${type}`);
    if (type === "number" && !(value >= least && value <= most)) {
      throw new RangeError(`"${name}" of ${of} is a number from ${least} to ${most}, not ${value}`);
    }
  }
}

/** Whether it is a chunk of text and nothing more: such are what a snapshot stands for. @param {Frame} frame */
function isText({ eventtype, payload }) {
  return eventtype === "stream.chunk" && typeof payload.message === "string" && Object.keys(payload).length === 1;
}

/** Whether it ends what came too late for a server that drains: no handler was called. @param {Frame} frame */
function isTooLate({ eventtype, payload }) {
  const said = eventtype === "stream.error" ? payload.error : payload.reason;
  return said === "draining" && payload.taken === false && TERMINAL.has(eventtype);
}

/** @param {unknown} data @returns {any} A frame, or null. */
function parsed(data) {
  try {
    const frame = JSON.parse(String(data));
    const isFrame = typeof frame?.eventtype === "string" && typeof frame.payload === "object" && frame.payload !== null;
    return isFrame ? frame : null;
  } catch {
    return null;
  }
}

/**
 * How many bytes a text has in UTF-8; counted only if that may be over a limit.
 *
 * @param {string} text
 * @param {number} limit
 */
function bytesOf(text, limit) {
  return text.length * 3 > limit ? new TextEncoder().encode(text).length : text.length;
}

/** @param {string} text */
function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * When to renew a token: after four fifths of the time that it has left.
 *
 * @param {string | undefined} token
 * @returns {number | null} Milliseconds, or null if it is no JSON Web Token or never expires.
 */
function renewIn(token) {
  try {
    const { exp, iat } = JSON.parse(atob(String(token).split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    if (typeof exp !== "number") return null;
    const now = Date.now() / 1000;
    const end = Math.floor(exp); // servers cut fractions off
    // The server has just taken it, so if it seems to be over or not yet made, this clock is wrong, and `iat` helps.
    const left = now < end && !(now < iat) ? end - now : iat === undefined ? 30 : end - iat;
    return Math.min(Math.max(left * 800, 1000), LONGEST_TIMER);
  } catch {
    return null;
  }
}
