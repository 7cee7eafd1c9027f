import { describe, expect, it } from "vitest";
import { Camera } from "../src/lib/camera";
import type { Phase, StreamClient } from "../src/stream/client";
import type { Model } from "../src/stream/model";
import { Player } from "../src/stream/player";
import type { ClientMessage } from "../src/wire.generated";

const LIVE: Phase = { name: "live" };
const ENDED: Phase = { name: "ended", end: { type: "end", reason: "capture_end", bins: 1000, dropped: 0 } as never };
const AWAY: Phase = { name: "connecting", attempt: 2, retryInMs: 1000, resuming: true, exhausted: false };

function setup(last = 500, missingBefore: (seq: number, n: number) => number = () => 0) {
  const sent: ClientMessage[] = [];
  const calls: string[] = [];
  const client = {
    speed: 2, paused: false,
    post: (message: ClientMessage) => sent.push(message) > 0,
    pause() { this.paused = true; },
    resume() { this.paused = false; },
    setSpeed(speed: number) { this.speed = speed; },
    restart: () => calls.push("restart"),
    start: () => calls.push("start"),
    openAt: (seq: number) => calls.push(`open at ${seq}`),
  };
  const model = {
    config: {}, last, binMs: 100, session: { nBins: 1000 }, bins: { missingBefore },
    health: { restart: () => undefined }, nsOf: (seq: number) => BigInt(seq) * 100n,
  };
  let changes = 0;
  const restarts = { n: 0 };
  model.health.restart = () => {
    restarts.n += 1;
    return undefined;
  };
  const camera = new Camera();
  const player = new Player(model as unknown as Model, camera, () => { changes += 1; });
  player.client = client as unknown as StreamClient;
  return { player, client, sent, calls, camera, restarts, changes: () => changes };
}

const seeks = (sent: ClientMessage[]): string[] => sent.flatMap((message) => (message.type === "seek" ? [message.ts_ns] : []));

describe("player", () => {
  it("pauses and resumes only what is live, and plays again what has ended", () => {
    const { player, client, calls, changes } = setup();
    player.phase(AWAY);
    player.toggle();
    expect(client.paused).toBe(false);
    player.phase(LIVE);
    player.toggle();
    expect(player.paused).toBe(true);
    player.toggle();
    expect(player.paused).toBe(false);
    player.phase(ENDED);
    player.toggle();
    expect(calls).toEqual(["restart"]);
    expect(changes()).toBe(3);
  });

  it("jumps by market time and stays inside the capture", () => {
    const { player, sent, camera } = setup();
    player.phase(LIVE);
    camera.stay();
    player.jump(30);
    expect(player.seeking).toBe(800);
    player.seek(5000);
    player.seek(-3);
    expect(seeks(sent)).toEqual(["80000", "99900", "0"]);
    expect(camera.follow).toBe(true);
  });

  it("steps a bin only while paused", () => {
    const { player, sent } = setup();
    player.phase(LIVE);
    expect(player.step()).toBe(false);
    player.toggle();
    expect(player.step()).toBe(true);
    expect(seeks(sent)).toEqual(["50100"]);
  });

  it("takes a seek along over the capture's end and asks again once the stream is open", () => {
    const { player, sent, calls } = setup();
    player.phase(LIVE);
    player.seek(900);
    player.phase(ENDED);
    expect(calls).toEqual(["open at 900"]);
    expect(player.seeking).toBeNull();
    player.phase(AWAY);
    player.phase(LIVE);
    expect(player.seeking).toBe(900);
    expect(seeks(sent)).toEqual(["90000", "90000"]);
  });

  it("opens the place itself where nothing is live, and reconnects only while a try is due", () => {
    const { player, calls } = setup();
    player.phase(ENDED);
    player.seek(100);
    player.reconnect();
    player.phase(AWAY);
    player.reconnect();
    expect(calls).toEqual(["open at 100", "start"]);
  });
});

describe("an address with a bin", () => {
  it("goes to that bin by way of the bins before it, once", () => {
    const { player, sent, camera } = setup(500, (_, n) => n);
    camera.resize(700, 500);
    player.expectAt(900);
    player.phase(LIVE);
    expect(player.seeking).toBe(900);
    expect(seeks(sent)).toEqual(["20000"]);
    player.giveUp();
    player.phase(AWAY);
    player.phase(LIVE);
    expect(seeks(sent)).toEqual(["20000"]);
  });

  it("is led up to by some bins also while the page has no size yet", () => {
    const { player, sent } = setup(500, (_, n) => n);
    player.expectAt(900);
    player.phase(LIVE);
    expect(seeks(sent)).toEqual(["60000"]);
  });

  it("measures the pace anew once it has arrived", () => {
    const { player, restarts } = setup();
    player.phase(LIVE);
    player.seek(600);
    const before = restarts.n;
    expect(player.wants(600)).toBe(true);
    expect(restarts.n).toBe(before + 1);
    expect(player.wants(601)).toBe(true);
    expect(restarts.n).toBe(before + 1);
  });
});
