/** The whole capture on one bar: mid and volume, what has been received, what was dropped; a click seeks. */

import { timeStep } from "../lib/axis";
import { etClock, etMinute } from "../lib/clock";
import { Size, el, fitCanvas, setHidden, setText } from "../lib/dom";
import type { Model } from "../stream/model";
import { INK } from "./ink";
import { LabelLayer } from "./labels";

type Ink = CanvasRenderingContext2D;

const JUMPS_S: Record<string, number> = { ArrowLeft: -30, ArrowRight: 30, PageDown: -300, PageUp: 300 };
/** Height of the volume bars, and the room above the mid. */
const VOLUME_PX = 18;
const TOP_PX = 8;

export interface SessionHandlers {
  onJump(seconds: number): void;
  onSeek(seq: number): void;
}

export class SessionBar {
  readonly root: HTMLElement;
  readonly #size: Size;
  readonly #canvas = el("canvas");
  readonly #labels = new LabelLayer("session-labels");
  readonly #hover = el("span", { class: "session-hover num", hidden: true });
  #model: Model | null = null;

  constructor(handlers: SessionHandlers) {
    this.root = el(
      "div",
      {
        class: "session", role: "slider", tabindex: 0, "aria-label": "Session", "aria-valuemin": 0,
        title: "Click: go there. Arrows 30 s, Page keys 5 min, Home the start",
      },
      this.#canvas, this.#labels.root, this.#hover,
    );
    const seqAt = (event: MouseEvent): number => {
      const box = this.root.getBoundingClientRect();
      return this.#model?.session.seqAt((event.clientX - box.left) / box.width) ?? 0;
    };
    this.#size = new Size(this.root);
    this.root.addEventListener("click", (event) => handlers.onSeek(seqAt(event)));
    this.root.addEventListener("pointermove", (event) => {
      const model = this.#model;
      if (!model?.config) return;
      setHidden(this.#hover, false);
      setText(this.#hover, etClock(model.timeOf(seqAt(event))));
      this.#hover.style.left = `${event.clientX - this.root.getBoundingClientRect().left}px`;
    });
    this.root.addEventListener("pointerleave", () => setHidden(this.#hover, true));
    this.root.addEventListener("keydown", (event) => {
      const seconds = JUMPS_S[event.key];
      if (seconds === undefined && event.key !== "Home") return;
      event.preventDefault();
      event.stopPropagation();
      if (seconds === undefined) handlers.onSeek(0);
      else handlers.onJump(seconds);
    });
  }

  /** `view` is the first and last bin on the map. */
  render(model: Model, view: [number, number]): void {
    this.#model = model;
    const { width, height } = this.#size;
    const ink = fitCanvas(this.#canvas, width, height);
    this.#labels.begin();
    ink.fillStyle = INK.strong;
    ink.fillRect(0, height - 3, width, 1);
    if (model.config) {
      const { session, last } = model;
      this.root.setAttribute("aria-valuemax", String(session.nBins - 1));
      this.root.setAttribute("aria-valuenow", String(Math.max(0, last)));
      if (last >= 0) this.root.setAttribute("aria-valuetext", `${etClock(model.timeOf(last + 1))} ET`);
      const x = (seq: number): number => (seq / session.nBins) * width;
      const now = x(last + 1);
      const left = x(Math.max(0, view[0]));
      if (last >= 0) {
        ink.fillStyle = INK.window;
        ink.fillRect(left, 0, Math.max(1, x(Math.min(session.nBins, view[1] + 1)) - left), height - 3);
      }
      this.#trace(ink, model, width, height, now);
      ink.fillStyle = INK.text;
      ink.fillRect(now - 1, 0, 1.5, height - 3);
      ink.fillStyle = INK.third;
      ink.fillRect(0, height - 3, now, 1.5);
      ink.beginPath();
      ink.arc(Math.min(width - 5, Math.max(5, now)), height - 4, 4.5, 0, 2 * Math.PI);
      ink.fillStyle = INK.text;
      ink.fill();
      this.#time(model, width, height);
    }
    this.#labels.end();
  }

  /** The capture as the service knows it, dim after now; without that, what has been received. */
  #trace(ink: Ink, { session, firings }: Model, width: number, height: number, now: number): void {
    const xOf = (bucket: number): number => session.startOf(bucket) * width;
    const step = xOf(1);
    const floor = height - 4;
    const { low, high, maxVolume } = session;
    const span = Math.max(1e-9, high - low);
    const yOf = (mid: number): number => TOP_PX + (1 - (mid - low) / span) * (floor - TOP_PX - VOLUME_PX - 8);
    for (let i = 0; i < session.buckets; i += 1) {
      const tall = maxVolume > 0 ? Math.sqrt(session.volume[i] / maxVolume) * VOLUME_PX : 0;
      ink.fillStyle = INK.volume;
      ink.globalAlpha = xOf(i) < now ? 1 : 0.5;
      if (tall > 0.5) ink.fillRect(xOf(i), floor - tall, Math.max(1, step * 0.7), tall);
      ink.globalAlpha = 1;
      ink.fillStyle = INK.warn;
      if (session.dropped[i]) ink.fillRect(xOf(i), 0, Math.max(2, step), 6);
    }
    const line = new Path2D();
    let open = false;
    for (let i = 0; i < session.buckets; i += 1) {
      const mid = session.mid[i];
      if (mid > 0 && open) line.lineTo(xOf(i + 0.5), yOf(mid));
      else if (mid > 0) line.moveTo(xOf(i + 0.5), yOf(mid));
      open = mid > 0;
    }
    ink.lineWidth = 1.25;
    for (const [from, to, colour] of [[0, now, INK.text], [now, width, INK.third]] as const) {
      ink.save();
      ink.beginPath();
      ink.rect(from, 0, Math.max(0, to - from), height);
      ink.clip();
      ink.strokeStyle = colour;
      ink.stroke(line);
      ink.restore();
    }
    for (const { seq, direction } of firings) {
      ink.fillStyle = direction > 0 ? INK.plus : INK.minus;
      ink.fillRect((seq / session.nBins) * width, floor - 3, 1, 3);
    }
  }

  #time(model: Model, width: number, height: number): void {
    const total = (model.session.nBins * model.binMs) / 1000;
    const step = timeStep(width / total, 90);
    const start = model.timeOf(0);
    for (let s = 0; s <= total + 1e-6; s += step) {
      const x = (s / total) * width;
      const edge = x < 20 ? "start" : x > width - 20 ? "end" : "middle";
      const text = step < 60 ? etClock(start + s * 1000).slice(0, 8) : etMinute(start + s * 1000);
      this.#labels.put(text, x, height + 9, `${edge} third`);
    }
  }
}
