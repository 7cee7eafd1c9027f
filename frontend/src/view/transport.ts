/** Bottom row: step, pause, speed, reconnect, and the session bar with what has been received. */

import { etClock, etMinute } from "../lib/clock";
import { timeStep } from "../lib/axis";
import { el, fitCanvas, setHidden, setText } from "../lib/dom";
import { SPEEDS, speedLabel } from "../lib/query";
import type { Model } from "../stream/model";
import { INK } from "./ink";
import { LabelLayer } from "./labels";

const GLYPH = {
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  play: "M4 2l9.5 6L4 14z",
  back: "M7.5 3L3 8l4.5 5M12.5 3L8 8l4.5 5",
  ahead: "M3.5 3L8 8l-4.5 5M8.5 3L13 8l-4.5 5",
};

export interface TransportHandlers {
  onToggle(): void;
  onSpeed(speed: number): void;
  /** Move by seconds of market time. */
  onJump(seconds: number): void;
  /** Go to a bin. */
  onSeek(seq: number): void;
  onReconnect(): void;
}

export interface TransportState {
  paused: boolean;
  speed: number;
  live: boolean;
  ended: boolean;
  /** First and last bin in view. */
  view: [number, number];
}

function glyph(path: string, stroked: boolean): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", stroked ? "glyph stroked" : "glyph");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export class Transport {
  readonly root: HTMLElement;
  readonly #toggle: HTMLButtonElement;
  readonly #toggleShape: SVGPathElement;
  readonly #speeds: HTMLButtonElement[];
  readonly #reconnect: HTMLButtonElement;
  readonly #canvas = el("canvas");
  readonly #bar: HTMLElement;
  readonly #labels = new LabelLayer("session-labels");
  readonly #hover = el("span", { class: "session-hover num", hidden: true });
  #model: Model | null = null;

  constructor(handlers: TransportHandlers) {
    const shape = glyph(GLYPH.pause, false);
    this.#toggleShape = shape.firstElementChild as SVGPathElement;
    this.#toggle = el("button", { type: "button", class: "round", "aria-label": "Pause", onclick: () => handlers.onToggle() }, shape);
    const jump = (seconds: number, path: string, label: string): HTMLButtonElement =>
      el("button", { type: "button", class: "bare", "aria-label": label, title: label, onclick: () => handlers.onJump(seconds) }, glyph(path, true));
    this.#speeds = SPEEDS.map((speed) =>
      el("button", { type: "button", onclick: () => handlers.onSpeed(speed) }, speedLabel(speed)),
    );
    this.#reconnect = el("button", { type: "button", class: "button", onclick: () => handlers.onReconnect() }, "Reconnect");
    this.#bar = el(
      "div",
      { class: "session", role: "slider", tabindex: 0, "aria-label": "Session", "aria-valuemin": 0 },
      this.#canvas, this.#labels.root, this.#hover,
    );
    this.#listen(handlers);
    this.root = el(
      "footer", { class: "transport" },
      el("div", { class: "steps" }, jump(-30, GLYPH.back, "Back 30 s"), this.#toggle, jump(30, GLYPH.ahead, "Ahead 30 s")),
      el("div", { class: "segments", role: "group", "aria-label": "Speed" }, ...this.#speeds),
      this.#reconnect, this.#bar,
    );
  }

  #listen(handlers: TransportHandlers): void {
    const seqAt = (event: MouseEvent): number => {
      const box = this.#bar.getBoundingClientRect();
      return this.#model?.session.seqAt((event.clientX - box.left) / box.width) ?? 0;
    };
    this.#bar.addEventListener("click", (event) => handlers.onSeek(seqAt(event)));
    this.#bar.addEventListener("pointermove", (event) => {
      const model = this.#model;
      if (!model?.config) return;
      setHidden(this.#hover, false);
      setText(this.#hover, etClock(model.timeOf(seqAt(event))));
      this.#hover.style.left = `${event.clientX - this.#bar.getBoundingClientRect().left}px`;
    });
    this.#bar.addEventListener("pointerleave", () => setHidden(this.#hover, true));
    this.#bar.addEventListener("keydown", (event) => {
      const seconds = { ArrowLeft: -30, ArrowRight: 30, PageDown: -300, PageUp: 300 }[event.key];
      if (seconds === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      handlers.onJump(seconds);
    });
  }

  render(model: Model, state: TransportState): void {
    this.#model = model;
    const playing = state.live && !state.paused;
    this.#toggle.disabled = !state.live && !state.ended;
    this.#toggle.setAttribute("aria-label", playing ? "Pause" : state.ended ? "Play again" : "Resume");
    this.#toggle.title = `${playing ? "Pause" : state.ended ? "Play again" : "Resume"} (Space)`;
    this.#toggleShape.setAttribute("d", playing ? GLYPH.pause : GLYPH.play);
    this.#speeds.forEach((button, i) => button.setAttribute("aria-pressed", String(SPEEDS[i] === state.speed)));
    setHidden(this.#reconnect, state.live || state.ended || model.config === null);
    this.#draw(model, state);
  }

  #draw(model: Model, state: TransportState): void {
    const width = this.#bar.clientWidth;
    const height = this.#bar.clientHeight;
    const { session, ring, config } = model;
    const ink = fitCanvas(this.#canvas, width, height);
    this.#labels.begin();
    ink.fillStyle = INK.strong;
    ink.fillRect(0, height - 3, width, 1);
    if (config && ring) {
      this.#bar.setAttribute("aria-valuemax", String(session.nBins - 1));
      this.#bar.setAttribute("aria-valuenow", String(Math.max(0, ring.last)));
      const x = (seq: number): number => (seq / session.nBins) * width;
      const now = x(ring.last + 1);
      const left = x(Math.max(0, state.view[0]));
      if (ring.last >= 0) {
        ink.fillStyle = INK.window;
        ink.fillRect(left, 0, Math.max(1, x(Math.min(session.nBins, state.view[1] + 1)) - left), height - 3);
      }
      this.#trace(ink, model, width, height);
      ink.fillStyle = INK.text;
      ink.fillRect(now - 1, 0, 1.5, height - 3);
      ink.fillStyle = INK.third;
      ink.fillRect(0, height - 3, now, 1.5);
      ink.beginPath();
      ink.arc(Math.min(width - 5, Math.max(5, now)), height - 4, 4.5, 0, 2 * Math.PI);
      ink.fillStyle = INK.text;
      ink.fill();
      this.#timeLabels(model, width, height);
    }
    this.#labels.end();
  }

  #trace(ink: CanvasRenderingContext2D, { session }: Model, width: number, height: number): void {
    const step = width / session.buckets;
    const floor = height - 4;
    const span = Math.max(1e-9, session.high - session.low);
    ink.fillStyle = INK.volume;
    for (let i = 0; i < session.buckets; i += 1) {
      const tall = session.maxVolume > 0 ? Math.sqrt(session.volume[i] / session.maxVolume) * 18 : 0;
      if (tall > 0.5) ink.fillRect(i * step, floor - tall, Math.max(1, step * 0.7), tall);
      if (session.dropped[i]) {
        ink.fillStyle = INK.warn;
        ink.fillRect(i * step, 0, Math.max(2, step), 6);
        ink.fillStyle = INK.volume;
      }
    }
    ink.beginPath();
    let open = false;
    for (let i = 0; i < session.buckets; i += 1) {
      const mid = session.mid[i];
      if (mid <= 0) {
        open = false;
        continue;
      }
      const y = 8 + (1 - (mid - session.low) / span) * (floor - 34);
      if (open) ink.lineTo((i + 0.5) * step, y);
      else ink.moveTo((i + 0.5) * step, y);
      open = true;
    }
    ink.strokeStyle = INK.second;
    ink.lineWidth = 1.25;
    ink.stroke();
  }

  #timeLabels(model: Model, width: number, height: number): void {
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
