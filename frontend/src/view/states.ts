/** Everything the page has to say about itself: cards when there is no map, notices when there is one. */

import { etClock, isoDate } from "../lib/clock";
import { commandBox, el, setClass, setHidden, setStyle, setText } from "../lib/dom";
import { age, count, ordinal } from "../lib/format";
import { speedLabel } from "../lib/query";
import { ApiError } from "../stream/api";
import type { Model } from "../stream/model";
import type { DatasetEntry, StreamError, Warming } from "../wire.generated";
import type { GapBand } from "./drawGround";

/** A notice's distance from the edge, and the room it wants beside it. */
const NOTICE_MARGIN = 20;

export interface CardAction {
  label: string;
  run: () => void;
}

export interface Card {
  /** Same key, same card: it is not built again. */
  key: string;
  title: string;
  lines: string[];
  spinner?: boolean;
  choices?: { label: string; href: string }[];
  commands?: string[];
  action?: CardAction;
  code?: string;
}

/** What each refusal means and what helps; the server's own sentence is always shown. */
const TITLES: Record<string, string> = {
  unknown_parameter: "This address has a parameter the service does not know",
  bad_value: "This address has a value the service cannot use",
  unsupported: "The service does not do this",
  not_found: "Nothing to stream there",
  bad_config: "The configuration does not work",
  bad_data: "The data cannot be read",
  bad_book: "The book does not add up",
  bad_lake: "The lake is damaged",
  bad_signal: "The signal cannot be used",
  unauthorized: "This service wants a token",
  too_many_streams: "The service has no stream left",
  internal: "The stream failed",
};

export function errorCard(error: StreamError, closeCode: number | null, datasets: readonly DatasetEntry[], retry: () => void): Card {
  const lines = [error.message.charAt(0).toUpperCase() + error.message.slice(1)];
  if (error.parameter) lines.push(`Parameter: ${error.parameter}`);
  if (error.code === "unauthorized") lines.push("Open the page with #token=… at the end of its address; the tab keeps it.");
  const helps = error.code === "not_found" || error.code === "bad_value" || error.code === "unknown_parameter";
  if (helps && datasets.length > 0) lines.push("Stream a capture that is here:");
  const missing = missingDay(error);
  const commands = missing ? [`vp download --from ${missing.day} --to ${missing.day}`] : [];
  if (helps && datasets.length === 0) commands.push("vp list-datasets", "vp generate --help");
  return {
    key: `refused ${error.code} ${error.message} ${datasets.length}`,
    title: missing ? `No data for ${missing.symbol} on ${isoDate(missing.day)}` : (TITLES[error.code] ?? "The service refused the stream"),
    lines,
    choices: helps ? datasetChoices(datasets) : [],
    commands,
    action: { label: "Retry", run: retry },
    code: closeCode === null ? error.code : `${error.code} · ${closeCode}`,
  };
}

/** The raw day that a refusal says is not in the lake. */
export function missingDay(error: StreamError): { symbol: string; day: string } | null {
  const found = /^no raw data of (\S+) for (\d{4}-\d\d-\d\d)/i.exec(error.message);
  return error.code === "not_found" && found ? { symbol: found[1], day: found[2] } : null;
}

export function datasetChoices(datasets: readonly DatasetEntry[]): { label: string; href: string }[] {
  return datasets.slice(0, 4).map((entry) => ({
    label: `${entry.symbol} ${isoDate(entry.dt, false)} ${minutes(entry.start_time)}–${minutes(entry.end_time)}`,
    href: `vacuum-pressure.html?dataset=${encodeURIComponent(entry.dataset_id)}`,
  }));
}

const minutes = (time: string): string => time.replace(/^(\d\d:\d\d):00$/, "$1");

export function connectingCard(host: string, attempt: number, retryInMs: number | null): Card {
  const next = retryInMs === null ? "Waiting for an answer." : `The next follows in ${Math.ceil(retryInMs / 1000)} s.`;
  const tries = retryInMs === null ? attempt : attempt - 1;
  return { key: "connecting", title: "Connecting", lines: [`${host}, ${ordinal(Math.max(1, tries))} try.`, next], spinner: true };
}

/** What the service loads or computes before bins can come, in a sentence. */
export function warmingText({ what, behind }: Warming): string {
  const all = what.charAt(0).toUpperCase() + what.slice(1);
  return behind === null ? `${all}.` : `${all}: ${count(behind)} to go.`;
}

export function unreachableCard(host: string, retryInMs: number | null, retry: () => void): Card {
  const next = retryInMs === null ? "Trying again now." : `Trying again in ${Math.ceil(retryInMs / 1000)} s.`;
  return {
    key: "unreachable",
    title: "No service answers",
    lines: [`Nothing listens at ${host}, or it closed the connection without a reason.`, next, "Start the service:"],
    commands: ["vp-serve"],
    action: { label: "Retry now", run: retry },
    code: "unreachable",
  };
}

/** The card of a service that could not be asked what it has, and whether asking again may help. */
export function cannotAskCard(error: unknown, host: string, retryInMs: number, again: () => void): { card: Card; retry: boolean } {
  if (error instanceof ApiError && error.status !== 0 && error.code !== "unreachable") {
    const code = error.status === 401 ? "unauthorized" : "error";
    return { card: errorCard({ type: "error", code, message: error.message, parameter: null }, error.status, [], again), retry: false };
  }
  return { card: unreachableCard(host, retryInMs, again), retry: true };
}

export const NOTHING_CARD: Card = {
  key: "nothing",
  title: "Nothing to stream yet",
  lines: ["The service is running, but its lake has no dataset and no promoted spec. Make a first one:"],
  commands: ["make demo"],
  code: "empty_lake",
};

export class States {
  readonly #card = el("div", { class: "card", role: "alert", hidden: true });
  readonly #notices = el("div", { class: "notices", role: "status" });
  readonly #warm = el("div", { class: "warming", hidden: true });
  #cardKey = "";
  #noticeKey = "";

  constructor(host: HTMLElement) {
    host.append(this.#notices, this.#warm, this.#card);
  }

  /** Show a card, or none; in the corner where there is a map to look at. A card of the same key only has its lines rewritten, so that focus stays. */
  card(card: Card | null, hasMap: boolean): void {
    setHidden(this.#card, card === null);
    setClass(this.#card, "aside", hasMap);
    if (!card) {
      this.#cardKey = "";
      return;
    }
    if (this.#cardKey !== card.key) this.#build(card);
    this.#cardKey = card.key;
    this.#card.querySelectorAll("p").forEach((line, i) => setText(line, card.lines[i] ?? ""));
  }

  #build({ title, lines, spinner, choices, commands, action, code }: Card): void {
    const head = el("h2", {}, spinner ? el("i", { class: "spinner" }) : null, title);
    const parts: (HTMLElement | null)[] = [head, ...lines.map(() => el("p"))];
    if (choices?.length) parts.push(el("div", { class: "choices" }, ...choices.map(({ label, href }) => el("a", { class: "choice", href }, label))));
    for (const text of commands ?? []) parts.push(commandBox(text));
    if (action || code) {
      const button = action ? el("button", { type: "button", class: "button primary", onclick: action.run }, action.label) : null;
      parts.push(el("footer", {}, button, el("code", { class: "third" }, code ?? "")));
    }
    this.#card.replaceChildren(...parts.filter((part) => part !== null));
  }

  get hasCard(): boolean {
    return !this.#card.hidden;
  }

  /** Show a notice over the map, or none. */
  notice(key: string, title: string, text: string, tone = "", actions: readonly CardAction[] = []): void {
    const full = `${key}|${title}|${text}|${tone}`;
    if (full === this.#noticeKey) return;
    this.#noticeKey = full;
    if (!key) {
      this.#notices.replaceChildren();
      return;
    }
    const buttons = actions.map(({ label, run }) => el("button", { type: "button", class: "button", onclick: run }, label));
    const body = el("div", {}, el("b", {}, title), text ? el("span", { class: "second" }, text) : null);
    this.#notices.replaceChildren(el("div", { class: `notice ${tone}` }, body, ...buttons));
  }

  /** Keep the notice off the gaps: to the other side, or where there are gaps too, down from their labels. */
  avoid(bands: readonly GapBand[], width: number): void {
    const size = this.#notices.offsetWidth + NOTICE_MARGIN;
    const under = (from: number, to: number): boolean =>
      bands.some(({ x, width: wide, missing }) => missing && x + wide > from && x < to);
    const left = size > NOTICE_MARGIN && under(0, size);
    const right = under(width - size, width);
    setClass(this.#notices, "aside", left && !right);
    setClass(this.#notices, "low", left && right);
  }

  /** How far the values are that need history; hidden once all are ready. */
  warming(model: Model, live: boolean): void {
    const { config, update, bins } = model;
    const have = update?.state_model_sample_count ?? 0;
    const rows = !config || !update ? [] : [
      { name: "State model", have, needed: config.warmup.state_model.needed, ready: update.state_model_ready },
      { name: "Flow score", have, needed: config.warmup.flow_score.needed, ready: have >= config.warmup.flow_score.needed },
      ...(config.warmup.signal && config.serving?.signal
        ? [{
            name: `${config.serving.signal.name} signal`, have, needed: config.warmup.signal.needed,
            ready: have >= config.warmup.signal.needed,
          }]
        : []),
    ];
    const waiting = live && rows.some((row) => !row.ready && row.needed > 0);
    setHidden(this.#warm, !waiting);
    if (!waiting || !config || !bins) return;
    if (this.#warm.childElementCount !== rows.length + 1) {
      this.#warm.replaceChildren(
        el("header", {}, el("b", {}, "Warming up"), el("span", { class: "third num" })),
        ...rows.map(() => el("div", {}, el("span", { class: "second" }), el("div", { class: "share-bar" }, el("i", { class: "mixed" })), el("span", { class: "num second" }))),
      );
    }
    setText(this.#warm.querySelector("header span") as Element, `${age((have * config.cell_width_ms) / 1000)} of bins`);
    rows.forEach((row, i) => {
      const [name, bar, text] = this.#warm.children[i + 1].children;
      setText(name, row.name);
      setStyle(bar.firstElementChild as HTMLElement, "width", `${row.ready ? 100 : Math.min(100, (100 * row.have) / row.needed)}%`);
      setText(text, row.ready ? "ready" : `${Math.min(row.have, row.needed)} of ${row.needed}`);
    });
  }
}

/** Notice for bins that the server skipped; offers the next slower pace. */
export function lagNotice(states: States, dropped: number, speed: number, onSlower: (speed: number) => void): void {
  const slower = speed > 10 ? 10 : speed > 2 ? 2 : speed > 1 ? 1 : null;
  const title = `${count(dropped)} ${dropped === 1 ? "bin" : "bins"} dropped`;
  const text = `This page could not keep up at ${speedLabel(speed)}.`;
  const actions = slower === null ? [] : [{ label: `Use ${speedLabel(slower)}`, run: () => onSlower(slower) }];
  states.notice(`lag ${dropped}`, title, text, "warn", actions);
}

export function pausedNotice(states: States, model: Model): void {
  const at = Number.isFinite(model.tsMs) ? `at ${etClock(model.tsMs)}. ` : "";
  states.notice("paused", "Paused", `${at}Space resumes, ← → step one bin`, "row");
}
