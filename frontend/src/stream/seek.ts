/**
 * A seek that arrives with a map. Where the bins before its target are not held, the stream is first asked for them at
 * full speed; then it is held until what was under way has come, and sent to the target itself.
 */

import type { ClientMessage } from "../wire.generated";

/** After a pause, silence for this long means that nothing is under way any more. */
const SILENCE_MS = 150;

export interface SeekEnvironment {
  /** Send a message; false where there is no stream to send it on. */
  post(message: ClientMessage): boolean;
  /** Pace and pause that the reader chose, to return to. */
  speed(): number;
  paused(): boolean;
  /** Start of a bin, ns. */
  ns(seq: number): bigint;
  after(ms: number, call: () => void): number;
  cancel(timer: number): void;
}

type Stage =
  /** Bins of before the seek may still come; then those from `from` on. */
  | { name: "filling"; from: number; target: number; begun: boolean }
  | { name: "settling"; target: number; timer: number }
  /** Bins of before the seek may still come; then the target. */
  | { name: "arriving"; target: number };

export class Seeker {
  readonly #env: SeekEnvironment;
  #stage: Stage | null = null;

  constructor(env: SeekEnvironment) {
    this.#env = env;
  }

  /** Where it goes, null when nowhere. */
  get target(): number | null {
    return this.#stage?.target ?? null;
  }

  /** Go to bin `target`, after the `missing` bins in front of it that are not held. */
  seek(target: number, missing: number): void {
    this.stop();
    const from = Math.max(0, target - missing);
    if (from < target) {
      this.#stage = { name: "filling", from, target, begun: false };
      this.#send({ type: "speed", value: 0 });
      if (this.#env.paused()) this.#send({ type: "resume" });
      this.#jump(from);
    } else this.#arrive(target);
  }

  /** Forget the seek, e.g. because the connection is lost. */
  stop(): void {
    if (this.#stage?.name === "settling") this.#env.cancel(this.#stage.timer);
    this.#stage = null;
  }

  /** A bin came: whether it belongs on the map. */
  wants(seq: number): boolean {
    const stage = this.#stage;
    if (!stage) return true;
    if (stage.name === "filling") {
      if (!stage.begun && seq !== stage.from) return false;
      stage.begun = true;
      if (seq < stage.target - 1) return true;
      this.#send({ type: "pause" });
      this.#settle(stage.target);
      return seq === stage.target - 1;
    }
    if (stage.name === "settling") {
      this.#env.cancel(stage.timer);
      this.#settle(stage.target);
      return false;
    }
    if (seq !== stage.target) return false;
    this.#stage = null;
    return true;
  }

  #settle(target: number): void {
    this.#stage = { name: "settling", target, timer: this.#env.after(SILENCE_MS, () => this.#arrive(target)) };
  }

  /** To the target, at the reader's own pace; a paused stream shows that one bin. */
  #arrive(target: number): void {
    this.#stage = { name: "arriving", target };
    this.#send({ type: "speed", value: this.#env.speed() });
    this.#jump(target);
    this.#send({ type: this.#env.paused() ? "pause" : "resume" });
  }

  #jump(seq: number): void {
    this.#send({ type: "seek", ts_ns: this.#env.ns(seq).toString() });
  }

  #send(message: ClientMessage): void {
    if (!this.#env.post(message)) this.stop();
  }
}
