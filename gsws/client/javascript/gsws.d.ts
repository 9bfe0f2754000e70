/**
 * Types of the gsws client, `gsws.js`. Put both files side by side, or let a bundler find them:
 *
 *   import { connect } from "./gsws.js";
 *   const client = await connect("wss://chat.example.com", { token: () => fetchToken() });
 *   for await (const chunk of client.stream("websocket.stream", { message: "hello" })) show(chunk.text);
 *
 * Needs the libraries `es2022` and `dom`.
 */

/** One frame of an answer. */
export interface Frame {
  eventtype: string;
  payload: any;
  seq?: number;
}

/** One `stream.chunk`; `text` is what to append. */
export interface Chunk {
  text: string;
  payload: any;
  seq?: number;
}

/** A frame that answers no request. */
export interface Push {
  eventtype: string;
  payload: any;
}

/** How to connect; everything may be left out. */
export interface Options {
  /** Label of the connection. */
  clientId?: string;
  /**
   * A token, or a function that gives a fresh one: it is asked for each connection, and before a JSON Web Token
   * expires. What it throws is the client's end, unless the network failed.
   */
  token?: string | null | (() => string | Promise<string>);
  /** Whether to connect again and go on after a cut; true if left out. */
  resume?: boolean;
  /** Milliseconds for a call, and between two frames of a stream; 60,000 if left out, null for no deadline. */
  timeout?: number | null;
  /**
   * Milliseconds: the first wait at most, every wait at most, and how long without a connection until the client gives
   * up (250, 15,000, 120,000); time in which the device is offline or asleep does not count.
   */
  backoff?: {
    base?: number;
    cap?: number;
    patience?: number;
  };
  /** Milliseconds for one connection to be made; 10,000 if left out. */
  openTimeout?: number;
  /** Whether text that was missed in a cut comes as one chunk; false if left out. */
  compact?: boolean;
  /** Characters of one answer that may wait for their consumer; 16 Mi if left out. */
  buffer?: number;
  /** Told how the connection is. */
  onState?: (state: "connected" | "reconnecting" | "closed") => void;
  /** Told of each new session: the first, and each that was not resumed. */
  onSession?: (client: Client) => void;
  /** The class to use; the global one if left out. */
  WebSocket?: typeof WebSocket;
}

/** What another client of the same subject needs to follow streams; whoever has it may take the session over. */
export interface Share {
  session: string;
  secret: string;
}

/** How to follow a stream of another client. */
export interface FollowOptions {
  /** Number of the last frame that is known already; -1 if left out. */
  after?: number;
  /**
   * Whether text that was there before comes as one chunk; true if left out. Without it, what the other client
   * acknowledged before cannot be had.
   */
  compact?: boolean;
  /** Milliseconds for each frame; null for no deadline. */
  timeout?: number | null;
  /** Aborting it stops following. */
  signal?: AbortSignal;
}

/** How to make one request. */
export interface RequestOptions {
  /** Milliseconds; null for no deadline. */
  timeout?: number | null;
  /** Aborting it cancels the request. */
  signal?: AbortSignal;
  /** Makes the server answer a repeated request like the first. */
  idempotencyKey?: string;
  /** Whether it may run twice, so that it is sent again if a cut leaves it unknown. */
  idempotent?: boolean;
  /** The request's id. */
  id?: string;
  /** Further facts about the message. */
  meta?: Record<string, any>;
}

/** Whatever the client throws. */
export declare class GswsError extends Error {
  constructor(message: string);
}

/** The server answered with `stream.error`. */
export declare class RemoteError extends GswsError {
  payload: any;
  /** Stable name, e.g. `schema_violation`. */
  error: string;
  code: number;
  retryable: boolean;
  errors: {
    pointer: string;
    keyword: string;
    message: string;
  }[];
  data: any;
  /** Milliseconds, or null. */
  retryAfter: number | null;
  constructor(payload: any);
}

/** A stream ended before its handler was done. */
export declare class Interrupted extends GswsError {
  payload: any;
  reason: string;
  constructor(payload: any);
}

/** An answer cannot be continued exactly: the server no longer holds its frames. */
export declare class ResumeLost extends GswsError {
  id: string;
  seen: number;
  constructor(id: string, seen: number);
}

/** There is no connection any more, and will be none. */
export declare class ConnectionLost extends GswsError {
  code: number;
  reason: string;
  constructor(code: number, reason?: string);
}

/** The answer, or the next frame of a stream, did not come in time. */
export declare class AnswerTimeout extends GswsError {
  constructor(eventtype: string, milliseconds: number);
}

/** More arrived than the consumer took: see `buffer`. */
export declare class Overflow extends GswsError {}

/** The client was closed by its own program. */
export declare class ClientClosed extends GswsError {
  constructor();
}

/** One request whose answer is read frame by frame. It has one consumer; leaving the loop early cancels it. */
export declare class Stream {
  /** The payload of the terminal frame once that came. */
  result: any;
  /** Why the stream ended, or null. */
  reason: string | null;
  private constructor();
  get id(): string;
  /** Every frame of the answer, whatever its type. */
  frames(): AsyncGenerator<Frame>;
  /** The chunks. */
  [Symbol.asyncIterator](): AsyncGenerator<Chunk>;
  /** The whole text: what the remaining chunks say, joined. */
  text(): Promise<string>;
  /** Ask the server to stop; go on iterating to see what came before it did. */
  cancel(): void;
  /** Take no more; the server is told if it still runs. */
  close(reason?: unknown): void;
}

/** A client of one server: made by `connect`. */
export declare class Client {
  private constructor();
  /** The session's id on the server. */
  get session(): string | null;
  /** Whether there is a connection now; requests may be made without one, and wait for it. */
  get isConnected(): boolean;
  /** How many connections were made so far. */
  get connections(): number;
  /** Make the first connection; `connect` does it. */
  open(): Promise<this>;
  /**
   * Send a request and wait for its answer: the reply's `data`, or the text of a stream.
   *
   * @param options `timeout` is for the whole answer.
   */
  call(event: string, payload?: any, options?: RequestOptions): Promise<any>;
  /**
   * Send a request whose answer is read as it streams: `for await (const chunk of stream) …`.
   *
   * @param options `timeout` is for each frame.
   */
  stream(event: string, payload?: any, options?: RequestOptions): Stream;
  /**
   * What another client of the same subject needs to follow streams of this session. Whoever has it may also take the
   * session over.
   */
  share(): Share;
  /**
   * Read a stream of another session beside its own client; leaving the loop stops following, and nothing else.
   *
   * @param share Of the session's own client.
   * @param id The stream's id there (`stream.id`).
   */
  follow(share: Share, id: string, options?: FollowOptions): Stream;
  /** What the server sends without being asked, from now on. */
  pushes(): AsyncGenerator<Push>;
  /** Renew the connection's credential in band; a `token` function is asked in time anyway. */
  authenticate(token: string): void;
  /** Close the connection; what still runs fails with `ClientClosed`, and the server cancels it. */
  close(): void;
}

/**
 * Connect to a server.
 *
 * @param url `ws://` or `wss://`; the page's own host if left out.
 * @throws {TypeError} If an option is unknown or of another type; `RangeError` if it is out of its bounds.
 */
export declare function connect(url?: string, options?: Options): Promise<Client>;
