/** Bottom row: step, pause, speed, reconnect, key of the strokes, and the session bar. */

import { el } from "../lib/dom";
import { SPEEDS, speedLabel } from "../lib/query";
import { hint } from "../stream/keys";
import type { Model } from "../stream/model";
import { SessionBar, type SessionHandlers } from "./sessionBar";

const GLYPH = {
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  play: "M4 2l9.5 6L4 14z",
  back: "M7.5 3L3 8l4.5 5M12.5 3L8 8l4.5 5",
  ahead: "M3.5 3L8 8l-4.5 5M8.5 3L13 8l-4.5 5",
};

export interface TransportHandlers extends SessionHandlers {
  onToggle(): void;
  onSpeed(speed: number): void;
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
  readonly #bar: SessionBar;

  constructor(handlers: TransportHandlers, key: HTMLElement) {
    const shape = glyph(GLYPH.pause, false);
    this.#toggleShape = shape.firstElementChild as SVGPathElement;
    this.#toggle = el("button", { type: "button", class: "round", "aria-label": "Pause", onclick: () => handlers.onToggle() }, shape);
    const jump = (id: "back" | "ahead", seconds: number): HTMLButtonElement =>
      el(
        "button",
        { type: "button", class: "bare", "aria-label": hint(id), title: hint(id), onclick: () => handlers.onJump(seconds) },
        glyph(GLYPH[id], true),
      );
    this.#speeds = SPEEDS.map((speed) => {
      const title = speed === 0 ? "As fast as this page can read" : `${speedLabel(speed)} market time`;
      return el(
        "button",
        { type: "button", title: `${title} (slower ${"<"}, faster ${">"})`, onclick: () => handlers.onSpeed(speed) },
        speedLabel(speed),
      );
    });
    this.#bar = new SessionBar(handlers);
    this.root = el(
      "footer", { class: "transport" },
      el(
        "div", { class: "deck" },
        el(
          "div", { class: "deck-row" },
          el("div", { class: "steps" }, jump("back", -30), this.#toggle, jump("ahead", 30)),
          el("div", { class: "segments", role: "group", "aria-label": "Speed" }, ...this.#speeds),
        ),
        key,
      ),
      this.#bar.root,
    );
  }

  render(model: Model, state: TransportState): void {
    const playing = state.live && !state.paused;
    const word = playing ? "Pause" : state.ended ? "Play again" : "Resume";
    this.#toggle.disabled = !state.live && !state.ended;
    this.#toggle.setAttribute("aria-label", word);
    this.#toggle.title = hint("toggle", word);
    this.#toggleShape.setAttribute("d", playing ? GLYPH.pause : GLYPH.play);
    this.#speeds.forEach((button, i) => button.setAttribute("aria-pressed", String(SPEEDS[i] === state.speed)));
    this.#bar.render(model, state.view);
  }
}
