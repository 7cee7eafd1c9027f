import { describe, expect, it } from "vitest";
import { labelled } from "../src/experiments/curve";
import { BinLog } from "../src/lib/bins";
import { Camera } from "../src/lib/camera";
import { quietSince } from "../src/lib/health";
import { placeBeside } from "../src/lib/place";
import { fitQuarters } from "../src/view/legend";
import { quotesUnder } from "../src/view/tooltip";
import { bookText } from "../src/view/topbar";

const SIZE = { width: 172, height: 180 };
const ROOM = { width: 800, height: 600 };

describe("a box beside a point", () => {
  it("stands right of it and away from the market while nothing is hidden there", () => {
    expect(placeBeside({ x: 300, y: 300 }, SIZE, ROOM, true, () => 0)).toEqual({ left: 316, top: 108 });
    expect(placeBeside({ x: 300, y: 300 }, SIZE, ROOM, false, () => 0)).toEqual({ left: 316, top: 312 });
  });

  it("stays inside the map", () => {
    for (const point of [{ x: 0, y: 0 }, { x: 799, y: 0 }, { x: 799, y: 599 }, { x: 0, y: 599 }]) {
      const { left, top } = placeBeside(point, SIZE, ROOM, true, () => 0);
      expect(left).toBeGreaterThanOrEqual(6);
      expect(left + SIZE.width).toBeLessThanOrEqual(ROOM.width);
      expect(top).toBeGreaterThanOrEqual(6);
      expect(top + SIZE.height).toBeLessThanOrEqual(ROOM.height - 6);
    }
  });

  it("moves to the other side of the market's path where its own side covers it", () => {
    const camera = new Camera();
    camera.resize(ROOM.width, ROOM.height);
    const bins = new BinLog(800);
    const bare = { spotTick: 0, mid: 1, buyVolume: 0, sellVolume: 0, score: 0, ready: false, dominant: 0, signal: Number.NaN, fired: 0 };
    // The market climbs from tick 0 to tick 20 at bin 400: right of the cell it runs above.
    for (let seq = 0; seq < 800; seq += 1) {
      const tick = seq < 400 ? 0 : 20;
      bins.push({ ...bare, seq, valid: true, spotTick: tick, bidTick: tick - 1, askTick: tick });
    }
    camera.track(799, 10, 0);
    const point = { x: camera.xOf(380), y: camera.yOf(5) };
    const cost = (box: Parameters<typeof quotesUnder>[0]): number => quotesUnder(box, camera, { bins });
    const { left, top } = placeBeside(point, SIZE, camera, true, cost);
    expect(cost({ left, top, right: left + SIZE.width, bottom: top + SIZE.height })).toBe(0);
    expect(left).toBeLessThan(point.x);
  });
});

describe("labels under the curve of thresholds", () => {
  it("stand all where they fit, else every so many with the chosen one among them", () => {
    expect(labelled(6, 360, 40, 2)).toEqual([true, true, true, true, true, true]);
    const shown = labelled(14, 230, 51, 5);
    expect(shown[5]).toBe(true);
    const places = shown.flatMap((on, i) => (on ? [((i + 0.5) / 14) * 230] : []));
    for (let i = 1; i < places.length; i += 1) expect(places[i] - places[i - 1]).toBeGreaterThanOrEqual(51);
  });
});

describe("ticks of the legend", () => {
  it("leave out the quarters where numbers would touch", () => {
    expect(fitQuarters(["−17", "−3", "0", "+3", "+17"], 184)).toBe(true);
    expect(fitQuarters(["−1234.5", "−120.2", "0", "+120.2", "+1234.5"], 128)).toBe(false);
  });
});

describe("what the head says of the book", () => {
  it("counts from the first bin without a record, and anew after a jump", () => {
    const records = [3, 0, 0, 0, 5, 0];
    let from = -1;
    expect(records.map((n, seq) => (from = quietSince(from, seq, n, true)))).toEqual([-1, 1, 1, 1, -1, 5]);
    expect(quietSince(5, 90, 0, false)).toBe(90);
  });

  it("names its age once that matters, and warns from a minute on", () => {
    expect(bookText(true, 900, 0)).toMatchObject({ text: "Valid", warn: false });
    expect(bookText(true, 42_000, 0)).toMatchObject({ text: "Valid, 42 s old", warn: false });
    expect(bookText(true, 3 * 3_600_000, 0)).toMatchObject({ text: "Valid, 3 h old", warn: true });
    expect(bookText(true, 0, 130_000)).toMatchObject({ text: "Valid 2 min ago", warn: true });
    expect(bookText(false, 3_600_000, 0)).toMatchObject({ text: "Invalid", warn: true });
  });
});
