import { describe, expect, it } from "vitest";
import { priceStep, timeStep } from "../src/lib/axis";
import { Camera } from "../src/lib/camera";

function camera(): Camera {
  const made = new Camera();
  made.resize(840, 640);
  made.track(999, 100, 16);
  return made;
}

describe("camera", () => {
  it("ends the latest bin at the right edge and centres the first spot", () => {
    const view = camera();
    expect(view.xOf(1000)).toBe(840);
    expect(view.yOf(100)).toBe(320);
    expect(view.seqSpan).toEqual([160, 999]);
  });

  it("rasters the cells that cover the view, each at its own place", () => {
    const view = camera();
    view.pan(3.4, -7.3);
    for (const [pxPerBin, pxPerTick, dpr] of [[1, 10, 1], [3.3, 8, 1], [24, 31.7, 1.5], [0.8, 10, 2]]) {
      view.pxPerBin = pxPerBin;
      view.pxPerTick = pxPerTick;
      const raster = view.raster(dpr);
      expect(raster.pooled).toBe(1);
      expect(raster.x).toBeLessThanOrEqual(1e-6);
      expect(raster.x + raster.columns * raster.columnPx).toBeGreaterThanOrEqual(view.width);
      expect(raster.y).toBeLessThanOrEqual(1e-6);
      expect(raster.y + raster.rows * raster.rowPx).toBeGreaterThanOrEqual(view.height);
      for (const [column, row] of [[5, 7], [raster.columns - 2, raster.rows - 2]]) {
        expect(view.seqAt(raster.x + (column + 0.5) * raster.columnPx)).toBe(raster.first + column);
        expect(view.tickAt(raster.y + (row + 0.5) * raster.rowPx)).toBe(raster.top - row);
      }
    }
  });

  it("rasters pixels of the screen where bins share them", () => {
    const view = camera();
    view.pxPerBin = 0.25;
    expect(view.raster(1)).toMatchObject({ pooled: 4, columns: 840, x: 0, columnPx: 1 });
    expect(view.raster(2)).toMatchObject({ pooled: 2, columns: 1680, x: 0, columnPx: 0.5 });
  });

  it("finds the cell under a pixel at every zoom", () => {
    const view = camera();
    for (const pxPerBin of [0.25, 0.7, 1, 3, 12]) {
      view.pxPerBin = pxPerBin;
      for (const seq of [700, 873, 998]) expect(view.seqAt(view.xOf(seq) + pxPerBin / 2)).toBe(seq);
      expect(view.seqAt(view.xOf(800))).toBe(800);
    }
    for (const tick of [80, 100, 121]) {
      expect(view.tickAt(view.yOf(tick) - 4.9)).toBe(tick);
      expect(view.tickAt(view.yOf(tick) + 4.9)).toBe(tick);
    }
  });

  it("covers the view with its tick span", () => {
    const view = camera();
    const [low, high] = view.tickSpan;
    expect(view.yOf(low) + view.pxPerTick / 2).toBeGreaterThanOrEqual(640);
    expect(view.yOf(high) - view.pxPerTick / 2).toBeLessThanOrEqual(0);
  });

  it("keeps what is under the pointer while zooming", () => {
    const view = camera();
    view.pan(10, 0);
    const seq = view.seqAt(200.5);
    view.zoomTime(4, 200.5);
    expect(view.seqAt(200.5)).toBe(seq);
    const tick = view.tickAt(100);
    view.zoomPrice(2, 100);
    expect(view.tickAt(100)).toBe(tick);
  });

  it("keeps what is under the pointer while following too: now moves in and is followed there, or leaves the view", () => {
    const view = camera();
    const seq = view.seqAt(300.5);
    view.zoomTime(0.5, 300.5);
    expect(view.seqAt(300.5)).toBe(seq);
    expect(view.follow).toBe(true);
    const x = view.xOf(1000);
    expect(x).toBeCloseTo(570.25);
    view.track(1400, 100, 16);
    expect(view.xOf(1401)).toBeCloseTo(x);
    const later = view.seqAt(300.5);
    view.zoomTime(8, 300.5);
    expect(view.seqAt(300.5)).toBe(later);
    expect(view.follow).toBe(false);
  });

  it("keeps now when zoomed at now or right of it", () => {
    for (const x of [840, 900]) {
      const view = camera();
      view.zoomTime(3, x);
      expect([view.right, view.lead, view.follow]).toEqual([1000, 0, true]);
    }
  });

  it("brings now back to the edge when told to follow", () => {
    const view = camera();
    view.zoomTime(0.5, 100);
    view.pan(-30, 90);
    view.followNow(140);
    view.track(1200, 140, 16);
    expect([view.right, view.center, view.follow]).toEqual([1201, 140, true]);
  });

  it("zooms out to the whole capture and no further, and cannot be dragged off it", () => {
    const view = camera();
    view.nBins = 36_000;
    view.zoomTime(1e-6, 840);
    expect(view.pxPerBin).toBeCloseTo(840 / 36_000);
    view.frame(0, 36_000);
    expect(view.seqSpan).toEqual([0, 35_999]);
    view.pan(1e7, 0);
    expect(view.xOf(0)).toBeLessThanOrEqual(840);
    view.pan(-1e7, 0);
    expect(view.xOf(36_000)).toBeGreaterThanOrEqual(0);
  });

  it("knows how many bins share a pixel: none is left out", () => {
    const view = camera();
    for (const [pxPerBin, dpr, bins] of [[1, 1, 1], [2, 1, 1], [0.5, 1, 2], [0.5, 2, 1], [0.7, 1, 2], [1 / 16, 1, 16]]) {
      view.pxPerBin = pxPerBin;
      expect(view.pooled(dpr)).toBe(bins);
    }
  });

  it("stops following when dragged", () => {
    const view = camera();
    view.pan(50, 20);
    view.track(1100, 100, 16);
    expect(view.follow).toBe(false);
    expect(view.right).toBe(950);
    expect(view.center).toBe(102);
  });

  it("leaves price alone in the calm zone, then glides back to the middle", () => {
    const view = camera();
    expect(view.track(1000, 115, 16)).toBe(false);
    expect(view.center).toBe(100);
    expect(view.track(1001, 125, 16)).toBe(true);
    for (let i = 0; i < 200; i += 1) view.track(1002, 125, 16);
    expect(Math.abs(view.center - 125)).toBeLessThan(0.1);
  });

  it("jumps when the market is far away", () => {
    const view = camera();
    view.track(1000, 5000, 16);
    expect(view.center).toBe(5000);
  });
});

describe("axes", () => {
  it("label whole dollars when they fit, parts of one when there is room, round dollars when there is not", () => {
    expect(priceStep(0.25, 10, 34)).toBe(4);
    expect(priceStep(0.25, 40, 34)).toBe(1);
    expect(priceStep(0.25, 20, 34)).toBe(2);
    expect(priceStep(0.25, 2, 34)).toBe(20);
    expect(priceStep(0.01, 8, 34)).toBe(5);
    expect(priceStep(0.3, 10, 34)).toBe(5);
  });

  it("step time in seconds people count in", () => {
    expect(timeStep(10, 90)).toBe(10);
    expect(timeStep(1.25, 90)).toBe(120);
    expect(timeStep(240, 90)).toBe(1);
  });
});

describe("prices before the first valid book", () => {
  it("are not known, and are taken from the first one also when now is not followed", () => {
    const camera = new Camera();
    camera.resize(800, 600);
    camera.track(10, null, 16);
    expect(camera.placed).toBe(false);
    camera.stay();
    camera.track(11, 19_228, 16);
    expect([camera.placed, camera.center]).toEqual([true, 19_228]);
    camera.track(12, 19_000, 16);
    expect(camera.center).toBe(19_228);
  });
});
