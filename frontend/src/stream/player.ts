/**
 * Playing a stream: pause, speed, jump, step and seek, over whatever connection there is at the time. A seek that meets
 * the capture's end, or comes while nothing is connected, is carried out once the stream is open again.
 */

import type { Camera } from "../lib/camera";
import type { Phase, StreamClient } from "./client";
import type { Model } from "./model";
import { Seeker } from "./seek";

/** Bins put before a place that was sought, so that the map there is not empty: as many as fit, up to this. */
const LEAD_BINS = 1500;
/** And at least so many, e.g. while the page has no size yet. */
const LEAST_LEAD_BINS = 300;

export class Player {
  client: StreamClient | null = null;
  readonly #model: Model;
  readonly #camera: Camera;
  readonly #changed: () => void;
  readonly #seeker: Seeker;
  #phase: Phase = { name: "idle" };
  /** Bin to go to once the stream is open again. */
  #sought: number | null = null;

  /** `changed` is called when there is something new to show. */
  constructor(model: Model, camera: Camera, changed: () => void) {
    this.#model = model;
    this.#camera = camera;
    this.#changed = changed;
    this.#seeker = new Seeker({
      post: (message) => this.client?.post(message) ?? false,
      speed: () => this.speed,
      paused: () => this.client?.paused ?? false,
      ns: (seq) => model.nsOf(seq),
      after: (ms, call) => window.setTimeout(call, ms),
      cancel: (timer) => window.clearTimeout(timer),
    });
  }

  get live(): boolean {
    return this.#phase.name === "live";
  }

  get ended(): boolean {
    return this.#phase.name === "ended";
  }

  /** Held by the reader; a stream that is not open is not paused. */
  get paused(): boolean {
    return this.live && (this.client?.paused ?? false);
  }

  get speed(): number {
    return this.client?.speed ?? 1;
  }

  /** Bin that a seek goes to, null without one. */
  get seeking(): number | null {
    return this.#seeker.target;
  }

  /** A bin came: whether it belongs on the map. */
  wants(seq: number): boolean {
    const sought = this.seeking !== null;
    const wanted = this.#seeker.wants(seq);
    // Bins that were fetched for the map say nothing of the pace.
    if (sought && this.seeking === null) this.#model.health.restart(this.speed);
    return wanted;
  }

  /** The service would not do what was asked of it: what was sought is not waited for. */
  giveUp(): void {
    this.#seeker.stop();
  }

  /** The connection changed. */
  phase(phase: Phase): void {
    this.#phase = phase;
    const sought = this.#seeker.target ?? this.#sought;
    if (phase.name !== "live") this.#seeker.stop();
    if (sought === null) return;
    if (phase.name === "ended") {
      // What was fetched for a seek ran into the capture's end: the place itself is asked for anew.
      this.#sought = sought;
      this.client?.openAt(sought);
    } else if (phase.name === "live") {
      this.#sought = null;
      this.#arrive(sought);
    }
  }

  /** Pause or resume; after the end play again. */
  toggle(): void {
    const { client } = this;
    if (!client) return;
    if (this.ended) client.restart();
    else if (!this.live) return;
    else if (client.paused) {
      client.resume();
      this.#model.health.restart(client.speed);
    } else client.pause();
    this.#changed();
  }

  setSpeed(speed: number): void {
    this.client?.setSpeed(speed);
    this.#model.health.restart(speed);
    this.#changed();
  }

  jump(seconds: number): void {
    this.seek(this.#model.last + Math.round((seconds * 1000) / this.#model.binMs));
  }

  /** One bin more, while paused; false where the stream runs. */
  step(): boolean {
    if (!this.paused) return false;
    this.seek(this.#model.last + 1);
    return true;
  }

  /** Go to a bin, with as much of the map before it as fits. */
  seek(seq: number): void {
    const { config, session, bins, health } = this.#model;
    const camera = this.#camera;
    const { client } = this;
    if (!config || !client || !bins) return;
    const to = Math.min(session.nBins - 1, Math.max(0, seq));
    if (this.live) this.#arrive(to);
    else client.openAt(to);
    health.restart(client.speed);
    if (!camera.follow) camera.followNow(null);
    this.#changed();
  }

  /** The stream opens at a bin: once it does, the map before that bin is fetched too. */
  expectAt(seq: number): void {
    this.#sought = seq;
  }

  /** Go to a bin of the open stream, by way of those before it that are not held. */
  #arrive(seq: number): void {
    const { width, pxPerBin } = this.#camera;
    const lead = Math.min(LEAD_BINS, Math.max(LEAST_LEAD_BINS, Math.ceil(width / pxPerBin)));
    this.#seeker.seek(seq, this.#model.bins?.missingBefore(seq, lead) ?? 0);
  }

  /** Connect now, without waiting for the next try. */
  reconnect(): void {
    if (this.#phase.name === "connecting") this.client?.start();
  }
}
