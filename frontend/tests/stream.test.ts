import { describe, expect, it } from "vitest";
import { Backoff } from "../src/lib/backoff";
import { BubbleBook, bubbleRadius, sidedFills } from "../src/lib/bubbles";
import { StreamHealth } from "../src/lib/health";
import { namesTarget, speedLabel, speedOf, streamQuery, streamUrl } from "../src/lib/query";
import { SessionTrace } from "../src/lib/session";

describe("backoff", () => {
  it("waits 1, 2, 4, 8 s, gives up quietness after three, starts over after a success", () => {
    const backoff = new Backoff();
    expect([1, 2, 3, 4, 5].map(() => backoff.fail())).toEqual([1000, 2000, 4000, 8000, 8000]);
    expect(backoff.exhausted).toBe(true);
    backoff.succeed();
    expect(backoff.exhausted).toBe(false);
    expect(backoff.fail()).toBe(1000);
  });
});

describe("fills", () => {
  it("take their side from the only side that traded", () => {
    expect(sidedFills([0, 0, 4, 0, 0], 100, 4, 0)).toEqual([{ tick: 100, side: 1, lots: 4 }]);
    expect(sidedFills([0, 7, 0, 0, 0], 100, 0, 7)).toEqual([{ tick: 99, side: -1, lots: 7 }]);
  });

  it("give the upper fills to buyers, the lower to sellers, lot by lot", () => {
    expect(sidedFills([0, 5, 0, 6, 0], 100, 4, 7)).toEqual([
      { tick: 101, side: 1, lots: 4 },
      { tick: 101, side: -1, lots: 2 },
      { tick: 99, side: -1, lots: 5 },
    ]);
  });

  it("leave an auction unsided", () => {
    expect(sidedFills([0, 0, 9, 0, 0], 100, 0, 0)).toEqual([{ tick: 100, side: 0, lots: 9 }]);
  });
});

describe("bubbles", () => {
  it("merge one side at one price within 300 ms", () => {
    const book = new BubbleBook(100);
    for (const seq of [0, 2, 3, 4]) book.add(seq, [{ tick: 100, side: 1, lots: 2 }]);
    book.add(4, [{ tick: 100, side: -1, lots: 5 }]);
    const shown = book.visible(0, 10).bubbles;
    expect(shown).toEqual([
      { tick: 100, side: 1, lots: 6, seq: 0, lastSeq: 3 },
      { tick: 100, side: -1, lots: 5, seq: 4, lastSeq: 4 },
    ]);
  });

  it("hide small ones and draw large ones first", () => {
    const book = new BubbleBook(100);
    book.add(0, [{ tick: 1, side: 1, lots: 2 }, { tick: 2, side: 1, lots: 3 }, { tick: 3, side: 1, lots: 30 }]);
    expect(book.visible(0, 1).bubbles.map((bubble) => bubble.lots)).toEqual([30, 3]);
    expect(bubbleRadius(4)).toBeCloseTo(3.8);
  });

  it("keep the larger ones of a busy market, by round steps", () => {
    const book = new BubbleBook(100);
    for (let seq = 0; seq < 100; seq += 1) book.add(seq * 10, [{ tick: seq, side: 1, lots: 3 + seq }]);
    expect(book.visible(0, 2000, 200)).toMatchObject({ least: 3 });
    const busy = book.visible(0, 2000, 60);
    expect(busy.least).toBe(50);
    expect(busy.bubbles.length).toBeLessThanOrEqual(60);
    expect(busy.bubbles.every((bubble) => bubble.lots >= 50)).toBe(true);
  });

  it("forget the future after going back and the past when pruned", () => {
    const book = new BubbleBook(100);
    for (const seq of [0, 10, 20]) book.add(seq, [{ tick: seq, side: 1, lots: 5 }]);
    book.add(10, [{ tick: 99, side: 1, lots: 5 }]);
    expect(book.visible(0, 99).bubbles.map((bubble) => bubble.tick).sort()).toEqual([0, 99]);
    book.prune(5);
    expect(book.size).toBe(1);
  });
});

describe("health", () => {
  it("counts bins per second over the last two seconds", () => {
    const health = new StreamHealth();
    for (let i = 0; i <= 100; i += 1) health.arrived(i * 100, i * 100, 0);
    expect(health.rate(10_000)).toBeCloseTo(10, 0);
    expect(health.rate(60_000)).toBe(0);
  });

  it("measures lag against the best delivery since the pace changed", () => {
    const health = new StreamHealth();
    health.restart(10);
    for (let i = 0; i < 50; i += 1) health.arrived(i * 100, 1000 + i * 10, 0);
    expect(health.lagMs).toBeCloseTo(0, 6);
    for (let i = 50; i < 120; i += 1) health.arrived(i * 100, 1500 + i * 10, 1);
    expect(health.lagMs).toBeGreaterThan(450);
    expect(health.dropped).toBe(70);
    health.restart(0);
    expect(health.lagMs).toBeNaN();
  });
});

describe("page query", () => {
  it("passes on what it was given and keeps its own parameters", () => {
    const page = new URLSearchParams("run_id=00ff&threshold=0.2&layer=depth&state_model_d2_weight=0.3");
    expect(streamQuery(page).toString()).toBe("run_id=00ff&threshold=0.2&state_model_d2_weight=0.3");
    expect(streamQuery(page, { speed: 0, fromBin: 12 }).get("from_bin")).toBe("12");
    expect(streamQuery(page, { speed: 0 }).get("speed")).toBe("0");
  });

  it("leaves unknown parameters for the server to refuse", () => {
    expect(streamQuery(new URLSearchParams("nonsense=1")).toString()).toBe("nonsense=1");
  });

  it("knows whether a stream is named", () => {
    expect(namesTarget(new URLSearchParams("serving=a"))).toBe(true);
    expect(namesTarget(new URLSearchParams("speed=10&layer=depth"))).toBe(false);
  });

  it("stays on the page's origin", () => {
    expect(streamUrl({ protocol: "https:", host: "a:1" }, new URLSearchParams())).toBe("wss://a:1/v1/vacuum-pressure/stream");
    expect(streamUrl({ protocol: "http:", host: "a" }, new URLSearchParams("dt=x"))).toBe("ws://a/v1/vacuum-pressure/stream?dt=x");
  });

  it("reads speeds", () => {
    expect(["", "speed=10", "speed=0", "speed=fast", "speed=-1"].map((q) => speedOf(new URLSearchParams(q)))).toEqual([1, 10, 0, 1, 1]);
    expect([speedLabel(0), speedLabel(0.5)]).toEqual(["Max", "0.5×"]);
  });
});

describe("session trace", () => {
  it("keeps last mid, volume and drops by bucket", () => {
    const trace = new SessionTrace(36_000, 720);
    trace.add(0, 100, 5, 0);
    trace.add(49, 101, 5, 3);
    trace.add(50, 102, 1, 0);
    expect([trace.mid[0], trace.volume[0], trace.dropped[0], trace.mid[1]]).toEqual([101, 10, 1, 102]);
    expect([trace.low, trace.high, trace.maxVolume]).toEqual([100, 102, 10]);
    expect(trace.seqAt(1)).toBe(35_999);
  });

  it("does not count volume twice after going back", () => {
    const trace = new SessionTrace(100, 10);
    for (let seq = 0; seq < 30; seq += 1) trace.add(seq, 100, 1, 0);
    for (let seq = 10; seq < 30; seq += 1) trace.add(seq, 100, 1, 0);
    expect([trace.volume[1], trace.volume[2]]).toEqual([10, 10]);
  });
});
