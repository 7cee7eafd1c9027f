/** What the page says about its stream: a card while there is no map or no way on, else a notice over the map. */

import type { Camera } from "../lib/camera";
import { etTime } from "../lib/clock";
import { count } from "../lib/format";
import type { Phase } from "../stream/client";
import type { Model } from "../stream/model";
import type { DatasetEntry, StreamError, Warming } from "../wire.generated";
import { gapBands } from "./drawGround";
import { type Card, type States, connectingCard, errorCard, lagNotice, pausedNotice, unreachableCard, warmingText } from "./states";

const NOTICE_MS = 10_000;
const BACK_S = -300;

export interface SpeechHandlers {
  retry(): void;
  restart(): void;
  speed(value: number): void;
  jump(seconds: number): void;
}

export interface Standing {
  paused: boolean;
  speed: number;
  /** Bin that a seek goes to, null without one. */
  seeking: number | null;
  /** The graphics context is gone. */
  lost: boolean;
}

export class Speech {
  /** Said while there is no stream to speak of. */
  card: Card | null = null;
  /** Captures to offer when a stream was refused. */
  datasets: readonly DatasetEntry[] = [];
  readonly #states: States;
  readonly #model: Model;
  readonly #handlers: SpeechHandlers;
  #phase: Phase = { name: "idle" };
  #phaseAt = 0;
  #warming: Warming | null = null;
  #lag: { bins: number; at: number } | null = null;
  #complaint: { error: StreamError; at: number } | null = null;

  constructor(states: States, model: Model, handlers: SpeechHandlers) {
    this.#states = states;
    this.#model = model;
    this.#handlers = handlers;
  }

  phase(phase: Phase, now: number): void {
    this.#phase = phase;
    this.#phaseAt = now;
    if (phase.name !== "live") this.#warming = null;
    if (phase.name === "refused") this.datasets = [];
  }

  /** The service loads or computes something; null once a bin has come. */
  warming(warming: Warming | null): void {
    this.#warming = warming;
  }

  /** Bins were skipped for this page. */
  dropped(bins: number, now: number): void {
    const recent = this.#lag && now - this.#lag.at < NOTICE_MS ? this.#lag.bins : 0;
    this.#lag = { bins: recent + bins, at: now };
  }

  complaint(error: StreamError, now: number): void {
    this.#complaint = { error, at: now };
  }

  /** Another pace was chosen: what was lost at the old one is no longer news. */
  forgive(): void {
    this.#lag = null;
  }

  /** What is said changes with time alone: a countdown, or a notice that goes away. */
  ages(now: number): boolean {
    const fresh = (said: { at: number } | null): boolean => said !== null && now - said.at < NOTICE_MS + 1000;
    return this.#phase.name === "connecting" || fresh(this.#lag) || fresh(this.#complaint);
  }

  render(now: number, standing: Standing, camera: Camera): void {
    const phase = this.#phase;
    const hasMap = this.#model.last >= 0;
    this.#states.card(this.#cardOf(now, hasMap), hasMap);
    if (this.#states.hasCard || (phase.name === "live" && !hasMap)) this.#states.notice("", "", "");
    else this.#notice(now, standing);
    this.#states.avoid(gapBands(camera, this.#model), camera.width);
  }

  #cardOf(now: number, hasMap: boolean): Card | null {
    const phase = this.#phase;
    const host = window.location.host;
    const warming = this.#warming;
    if (phase.name === "idle") return this.card;
    if (phase.name === "refused") return errorCard(phase.error, phase.closeCode, this.datasets, this.#handlers.restart);
    if (warming && !hasMap) return { key: "warming", title: "Getting ready", lines: [warmingText(warming)], spinner: true };
    if (phase.name !== "connecting") return null;
    const left = this.#left(now);
    // A map that is there stays in view: what is wrong is then said beside it, in a notice.
    if (hasMap) return null;
    return phase.exhausted ? unreachableCard(host, left, this.#handlers.retry) : connectingCard(host, phase.attempt, left);
  }

  /** Milliseconds until the next try, null while one is under way. */
  #left(now: number): number | null {
    const phase = this.#phase;
    if (phase.name !== "connecting" || phase.retryInMs === null) return null;
    return Math.max(0, phase.retryInMs - (now - this.#phaseAt));
  }

  #notice(now: number, { paused, speed, seeking, lost }: Standing): void {
    const states = this.#states;
    const phase = this.#phase;
    const model = this.#model;
    const { retry, restart, jump } = this.#handlers;
    if (phase.name === "connecting") {
      const left = this.#left(now);
      const next = left === null ? "Trying now." : `Trying again in ${Math.ceil(left / 1000)} s.`;
      const [title, text] = phase.exhausted
        ? [`No service answers at ${window.location.host}`, `Start it with vp-serve. ${next}`]
        : ["Connection lost", `The map waits at its last bin. ${next}`];
      states.notice(`lost ${next}`, title, text, "error", [{ label: "Retry now", run: retry }]);
    } else if (lost) {
      states.notice("gl", "The browser took the graphics card away", "The map returns by itself; no bin is lost.", "warn");
    } else if (phase.name === "ended") {
      const { bins, dropped } = phase.end;
      const missing = dropped > 0 ? `, ${count(dropped)} of them dropped` : "";
      states.notice("ended", "Replay ended", `${count(bins)} bins${missing}`, "", [
        { label: "Play again", run: restart }, { label: "Back 5 min", run: () => jump(BACK_S) },
      ]);
    } else if (this.#warming) {
      states.notice("warming", "Getting ready", warmingText(this.#warming), "row");
    } else if (seeking !== null) {
      states.notice(`seeking ${seeking}`, "Going to", `${etTime(model.timeOf(seeking))}, with the map before it.`, "row");
    } else if (this.#complaint && now - this.#complaint.at < NOTICE_MS) {
      states.notice("complaint", "The service ignored that", this.#complaint.error.message, "warn");
    } else if (paused) pausedNotice(states, model);
    else if (this.#lag && now - this.#lag.at < NOTICE_MS) lagNotice(states, this.#lag.bins, speed, (slower) => this.#handlers.speed(slower));
    else states.notice("", "", "");
  }
}
