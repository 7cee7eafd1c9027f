import { describe, expect, it } from "vitest";
import { Seeker } from "../src/stream/seek";
import type { ClientMessage } from "../src/wire.generated";

function setup(options: { paused?: boolean; connected?: boolean } = {}) {
  const sent: ClientMessage[] = [];
  const timers = new Map<number, () => void>();
  let next = 1;
  const seeker = new Seeker({
    post: (message) => {
      if (options.connected === false) return false;
      sent.push(message);
      return true;
    },
    speed: () => 2,
    paused: () => options.paused ?? false,
    ns: (seq) => BigInt(seq) * 100n,
    after: (_ms, call) => {
      timers.set(next, call);
      return next++;
    },
    cancel: (timer) => timers.delete(timer),
  });
  const silence = (): void => {
    for (const [id, call] of [...timers]) {
      timers.delete(id);
      call();
    }
  };
  return { seeker, sent, timers, silence };
}

describe("a seek", () => {
  it("goes straight to a place whose past is held, and takes nothing older", () => {
    const { seeker, sent } = setup();
    seeker.seek(50, 0);
    expect(sent).toEqual([{ type: "speed", value: 2 }, { type: "seek", ts_ns: "5000" }, { type: "resume" }]);
    expect(seeker.target).toBe(50);
    expect([90, 91, 50, 51].map((seq) => seeker.wants(seq))).toEqual([false, false, true, true]);
    expect(seeker.target).toBeNull();
  });

  it("fetches the past at full speed first, then waits out what is under way", () => {
    const { seeker, sent, silence, timers } = setup();
    seeker.seek(50, 3);
    expect(sent).toEqual([{ type: "speed", value: 0 }, { type: "seek", ts_ns: "4700" }]);
    expect([12, 13, 47, 48].map((seq) => seeker.wants(seq))).toEqual([false, false, true, true]);
    expect(seeker.wants(49)).toBe(true);
    expect(sent.at(-1)).toEqual({ type: "pause" });
    sent.length = 0;
    expect([50, 51, 52].map((seq) => seeker.wants(seq))).toEqual([false, false, false]);
    expect([sent.length, timers.size]).toEqual([0, 1]);
    silence();
    expect(sent).toEqual([{ type: "speed", value: 2 }, { type: "seek", ts_ns: "5000" }, { type: "resume" }]);
    expect([50, 51].map((seq) => seeker.wants(seq))).toEqual([true, true]);
  });

  it("leaves a paused stream paused", () => {
    const { seeker, sent, silence } = setup({ paused: true });
    seeker.seek(3, 9);
    expect(sent.map(({ type }) => type)).toEqual(["speed", "resume", "seek"]);
    for (const seq of [0, 1, 2]) seeker.wants(seq);
    silence();
    expect(sent.at(-1)).toEqual({ type: "pause" });
    expect(seeker.wants(3)).toBe(true);
  });

  it("is forgotten without a connection, and when another begins", () => {
    const lost = setup({ connected: false });
    lost.seeker.seek(50, 0);
    expect(lost.seeker.target).toBeNull();
    const { seeker, silence } = setup();
    seeker.seek(50, 1);
    seeker.wants(49);
    seeker.seek(80, 0);
    silence();
    expect([seeker.target, seeker.wants(50), seeker.wants(80)]).toEqual([80, false, true]);
  });
});
