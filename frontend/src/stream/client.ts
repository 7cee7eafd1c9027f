/**
 * One stream over one WebSocket at a time: pairs each grid_update with its grid, resumes at the next bin after a lost
 * connection (1, 2, 4, 8 s apart), stops for good when the server says why (close 1008) or the capture is over.
 */

import { Backoff } from "../lib/backoff";
import { speedOf, streamQuery, streamUrl } from "../lib/query";
import type { ClientMessage, End, GridUpdate, RuntimeConfig, StreamError, Warming } from "../wire.generated";
import { SUBPROTOCOL, TOKEN_SUBPROTOCOL } from "../wire.generated";
import { type Grid, GridReader, WireError, decodeText } from "../wire/decode";

export type Phase =
  | { name: "idle" }
  | { name: "connecting"; attempt: number; retryInMs: number | null; resuming: boolean; exhausted: boolean }
  | { name: "live" }
  | { name: "ended"; end: End }
  | { name: "refused"; error: StreamError; closeCode: number | null };

export interface StreamHandlers {
  onPhase(phase: Phase): void;
  onConfig(config: RuntimeConfig): void;
  onBin(update: GridUpdate, grid: Grid): void;
  /** Something has to be loaded or computed before the next bin can come. */
  onWarming(warming: Warming): void;
  /** The server ignored something that was asked of it while streaming. */
  onComplaint(error: StreamError): void;
}

export interface SocketLike {
  binaryType: string;
  readyState: number;
  send(data: string): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
}

export interface Environment {
  location: { protocol: string; host: string };
  open(url: string, protocols: string[]): SocketLike;
  after(ms: number, call: () => void): () => void;
}

const OPEN = 1;
const TRY_LATER = 1013;
const REFUSED = 1008;

export class StreamClient {
  readonly #env: Environment;
  readonly #handlers: StreamHandlers;
  readonly #page: URLSearchParams;
  readonly #token: string | null;
  readonly #backoff = new Backoff();
  #socket: SocketLike | null = null;
  #cancelRetry: (() => void) | null = null;
  #reader: GridReader | null = null;
  #update: GridUpdate | null = null;
  #error: StreamError | null = null;
  #next = -1;
  #speed: number;
  #paused = false;
  #phase: Phase = { name: "idle" };

  constructor(page: URLSearchParams, token: string | null, handlers: StreamHandlers, env: Environment) {
    this.#page = page;
    this.#token = token;
    this.#handlers = handlers;
    this.#env = env;
    this.#speed = speedOf(page);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get speed(): number {
    return this.#speed;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Connect now; from the next bin when some were received, else from the query's start. */
  start(): void {
    this.#drop();
    this.#open();
  }

  /** Connect now, from the start of what the query names. */
  restart(): void {
    this.#next = -1;
    this.#paused = false;
    this.#backoff.succeed();
    this.start();
  }

  stop(): void {
    this.#drop();
    this.#set({ name: "idle" });
  }

  pause(): void {
    this.#paused = true;
    this.post({ type: "pause" });
  }

  resume(): void {
    this.#paused = false;
    this.post({ type: "resume" });
  }

  setSpeed(value: number): void {
    this.#speed = value;
    this.post({ type: "speed", value });
  }

  /** Open the stream at a bin, e.g. after its end; what was received stays. */
  openAt(seq: number): void {
    this.#next = seq;
    this.start();
  }

  /** Send a message; false without a live stream. */
  post(message: ClientMessage): boolean {
    if (this.#socket?.readyState !== OPEN || this.#phase.name !== "live") return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #set(phase: Phase): void {
    this.#phase = phase;
    this.#handlers.onPhase(phase);
  }

  #drop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close(1000);
  }

  #open(): void {
    const resuming = this.#next >= 0;
    const changed = resuming || this.#speed !== speedOf(this.#page);
    const query = streamQuery(this.#page, {
      speed: changed ? this.#speed : undefined,
      fromBin: resuming ? this.#next : undefined,
    });
    const { failures, exhausted } = this.#backoff;
    this.#set({ name: "connecting", attempt: failures + 1, retryInMs: null, resuming, exhausted });
    this.#update = null;
    this.#error = null;
    const protocols = this.#token ? [SUBPROTOCOL, TOKEN_SUBPROTOCOL + this.#token] : [SUBPROTOCOL];
    const socket = this.#env.open(streamUrl(this.#env.location, query), protocols);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket = socket;
  }

  /** Milliseconds spent on received messages so far, what the handlers do with them included. */
  spentMs = 0;

  #receive(data: unknown): void {
    const began = performance.now();
    try {
      if (typeof data === "string") this.#text(data);
      else this.#binary(data as ArrayBuffer);
      this.spentMs += performance.now() - began;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#drop();
      const failure: StreamError = { type: "error", code: "internal", message: error.message, parameter: null };
      this.#set({ name: "refused", error: failure, closeCode: null });
    }
  }

  #text(data: string): void {
    const message = decodeText(data);
    switch (message.type) {
      case "warming":
        this.#handlers.onWarming(message);
        break;
      case "runtime_config":
        this.#reader = new GridReader(message.grid_rows);
        this.#backoff.succeed();
        this.#handlers.onConfig(message);
        this.#set({ name: "live" });
        if (this.#paused) this.post({ type: "pause" });
        break;
      case "grid_update":
        this.#update = message;
        break;
      case "end":
        this.#drop();
        this.#next = -1;
        this.#set({ name: "ended", end: message });
        break;
      case "error":
        this.#error = message;
        if (message.code === "bad_message" || message.code === "unsupported") {
          if (this.#phase.name === "live") this.#handlers.onComplaint(message);
        }
        break;
    }
  }

  #binary(data: ArrayBuffer): void {
    const update = this.#update;
    if (!update || !this.#reader) return;
    this.#update = null;
    this.#next = update.bin_seq + 1;
    this.#handlers.onBin(update, this.#reader.read(data));
  }

  #closed(code: number, reason: string): void {
    this.#socket = null;
    if (code === REFUSED || (this.#error && code !== TRY_LATER && this.#phase.name !== "live")) {
      const message = this.#error?.message ?? (reason || "the service refused the stream without a reason");
      const error = this.#error ?? { type: "error", code: "error", message, parameter: null };
      this.#set({ name: "refused", error, closeCode: code });
      return;
    }
    const retryInMs = this.#backoff.fail();
    const { failures, exhausted } = this.#backoff;
    this.#set({ name: "connecting", attempt: failures + 1, retryInMs, resuming: this.#next >= 0, exhausted });
    this.#cancelRetry = this.#env.after(retryInMs, () => this.#open());
  }
}

/** The browser's own socket and clock. */
export const browserEnvironment = (): Environment => ({
  location: window.location,
  open: (url, protocols) => new WebSocket(url, protocols) as unknown as SocketLike,
  after: (ms, call) => {
    const timer = window.setTimeout(call, ms);
    return () => window.clearTimeout(timer);
  },
});
