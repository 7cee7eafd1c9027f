import { describe, expect, it } from "vitest";
import { type Environment, type Phase, type SocketLike, StreamClient } from "../src/stream/client";
import type { StreamError, Warming } from "../src/wire.generated";
import { Market, encode } from "./mock/market.mjs";

class FakeSocket implements SocketLike {
  binaryType = "";
  readyState = 1;
  sent: string[] = [];
  closed: number | null = null;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly url: string;
  readonly protocols: string[];

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(code?: number): void {
    this.closed = code ?? 1005;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  bytes(data: Uint8Array): void {
    this.onmessage?.({ data: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) });
  }

  lose(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

function setup(query: string, token: string | null = null) {
  const sockets: FakeSocket[] = [];
  const timers: { ms: number; call: () => void }[] = [];
  const log = { phases: [] as Phase[], bins: [] as number[], complaints: [] as StreamError[], warmings: [] as Warming[] };
  const env: Environment = {
    location: { protocol: "http:", host: "h" },
    open(url, protocols) {
      const socket = new FakeSocket(url, protocols);
      sockets.push(socket);
      return socket;
    },
    after(ms, call) {
      timers.push({ ms, call });
      return () => undefined;
    },
  };
  const handlers = {
    onPhase: (phase: Phase) => log.phases.push(phase),
    onConfig: () => undefined,
    onBin: ({ bin_seq }: { bin_seq: number }) => log.bins.push(bin_seq),
    onWarming: (warming: Warming) => log.warmings.push(warming),
    onComplaint: (error: StreamError) => log.complaints.push(error),
  };
  const client = new StreamClient(new URLSearchParams(query), token, handlers, env);
  return { client, sockets, timers, log };
}

const CONFIG = { type: "runtime_config", stream_format: "dense_grid", grid_rows: 101 };
const market = new Market();

function bin(socket: FakeSocket): number {
  const { update, columns } = market.next();
  socket.say({ type: "grid_update", ...update, dropped: 0 });
  socket.bytes(encode(columns));
  return update.bin_seq;
}

describe("stream client", () => {
  it("pairs each update with its grid", () => {
    const { client, sockets, log } = setup("serving=a");
    client.start();
    expect(sockets[0].url).toBe("ws://h/v1/vacuum-pressure/stream?serving=a");
    expect(sockets[0].protocols).toEqual(["vp.v1"]);
    sockets[0].say(CONFIG);
    const seqs = [bin(sockets[0]), bin(sockets[0])];
    expect(log.bins).toEqual(seqs);
    expect(client.phase.name).toBe("live");
  });

  it("hands on what has to be computed first, before and amid bins", () => {
    const { client, sockets, log } = setup("serving=a");
    client.start();
    const before: Warming = { type: "warming", what: "models are read", behind: null };
    const amid: Warming = { type: "warming", what: "bins on the way are computed", behind: 1200 };
    sockets[0].say(before);
    expect(client.phase.name).toBe("connecting");
    sockets[0].say(CONFIG);
    sockets[0].say(amid);
    expect(log.warmings).toEqual([before, amid]);
    expect(client.phase.name).toBe("live");
  });

  it("carries a token as a subprotocol", () => {
    const { client, sockets } = setup("serving=a", "s3cret");
    client.start();
    expect(sockets[0].protocols).toEqual(["vp.v1", "vp.token.s3cret"]);
  });

  it("resumes at the next bin after a loss, with growing delays and the pace of now", () => {
    const { client, sockets, timers } = setup("serving=a");
    client.start();
    sockets[0].say(CONFIG);
    const seq = bin(sockets[0]);
    client.setSpeed(10);
    sockets[0].lose(1006);
    expect(timers[0].ms).toBe(1000);
    timers[0].call();
    expect(sockets[1].url).toContain(`from_bin=${seq + 1}`);
    expect(sockets[1].url).toContain("speed=10");
    sockets[1].lose(1006);
    expect(timers[1].ms).toBe(2000);
  });

  it("says how often it tried and when quietness ends", () => {
    const { client, sockets, timers } = setup("serving=a");
    client.start();
    for (let i = 0; i < 3; i += 1) {
      sockets[i].lose(1006);
      timers[i].call();
    }
    expect(client.phase).toMatchObject({ name: "connecting", attempt: 4, exhausted: true });
  });

  it("stops when refused and keeps the server's reason", () => {
    const { client, sockets, timers } = setup("serving=nobody");
    client.start();
    sockets[0].say({ type: "error", code: "not_found", message: "no serving spec nobody", parameter: "serving" });
    sockets[0].lose(1008, "not_found");
    expect(timers).toHaveLength(0);
    expect(client.phase).toMatchObject({ name: "refused", closeCode: 1008, error: { message: "no serving spec nobody" } });
  });

  it("tries again later when the service is full", () => {
    const { client, sockets, timers } = setup("serving=a");
    client.start();
    sockets[0].say({ type: "error", code: "too_many_streams", message: "64 streams are open", parameter: null });
    sockets[0].lose(1013);
    expect(timers).toHaveLength(1);
    expect(client.phase.name).toBe("connecting");
  });

  it("ends, and plays again from the start", () => {
    const { client, sockets, log } = setup("serving=a");
    client.start();
    sockets[0].say(CONFIG);
    bin(sockets[0]);
    sockets[0].say({ type: "end", reason: "complete", bins: 1, dropped: 0 });
    expect(log.phases.at(-1)).toMatchObject({ name: "ended", end: { bins: 1 } });
    client.restart();
    expect(sockets[1].url).not.toContain("from_bin");
  });

  it("reports what the server ignored and goes on", () => {
    const { client, sockets, log } = setup("serving=a");
    client.start();
    sockets[0].say(CONFIG);
    sockets[0].say({ type: "error", code: "bad_message", message: "seek needs ts_ns", parameter: null });
    expect(log.complaints).toHaveLength(1);
    bin(sockets[0]);
    expect(log.bins).toHaveLength(1);
  });

  it("stays paused across a reconnect", () => {
    const { client, sockets, timers } = setup("serving=a");
    client.start();
    sockets[0].say(CONFIG);
    client.pause();
    expect(JSON.parse(sockets[0].sent[0])).toEqual({ type: "pause" });
    sockets[0].lose(1006);
    timers[0].call();
    sockets[1].say(CONFIG);
    expect(sockets[1].sent.map((text) => JSON.parse(text).type)).toEqual(["pause"]);
  });

  it("seeks on a live stream, and opens one there without", () => {
    const { client, sockets } = setup("serving=a");
    client.start();
    sockets[0].say(CONFIG);
    client.post({ type: "seek", ts_ns: "123" });
    expect(JSON.parse(sockets[0].sent[0])).toEqual({ type: "seek", ts_ns: "123" });
    sockets[0].say({ type: "end", reason: "complete", bins: 1, dropped: 0 });
    client.openAt(7);
    expect(sockets[1].url).toContain("from_bin=7");
  });

  it("gives up on a stream it cannot read", () => {
    const { client, sockets } = setup("serving=a");
    client.start();
    sockets[0].say({ type: "novel" });
    expect(client.phase).toMatchObject({ name: "refused", error: { code: "internal" } });
    expect(sockets[0].closed).toBe(1000);
  });
});
