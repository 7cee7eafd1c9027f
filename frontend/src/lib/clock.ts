/** Exchange time: nanoseconds since 1970 UTC in, New York wall time out. */

const HOUR_MS = 3_600_000;
const WALL = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  hourCycle: "h23",
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "numeric",
  minute: "numeric",
  second: "numeric",
});
const offsets = new Map<number, number>();

/** Decimal nanoseconds to float milliseconds (exact to under a microsecond). */
export function nsToMs(ns: string | bigint | number): number {
  const big = typeof ns === "bigint" ? ns : BigInt(typeof ns === "number" ? Math.round(ns) : ns);
  return Number(big / 1_000_000n) + Number(big % 1_000_000n) / 1e6;
}

/** Milliseconds to add to UTC for New York wall time, cached by the hour. */
export function etOffsetMs(utcMs: number): number {
  const hour = Math.floor(utcMs / HOUR_MS);
  const known = offsets.get(hour);
  if (known !== undefined) return known;
  const at = hour * HOUR_MS;
  const part: Record<string, number> = {};
  for (const { type, value } of WALL.formatToParts(new Date(at))) part[type] = Number(value);
  const wall = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
  offsets.set(hour, wall - at);
  return wall - at;
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** "HH:MM:SS" in New York. */
export function etTime(utcMs: number): string {
  const wall = Math.floor((utcMs + etOffsetMs(utcMs)) / 1000) * 1000;
  const date = new Date(wall);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** Tenths of a second, ".0" to ".9"; half a microsecond of float error does not cost a tenth. */
export function etTenth(utcMs: number): string {
  const inSecond = (((utcMs + 0.0005) % 1000) + 1000) % 1000;
  return `.${Math.floor(inSecond / 100)}`;
}

/** "HH:MM:SS.d" in New York. */
export function etClock(utcMs: number): string {
  const exact = utcMs + 0.0005;
  return etTime(exact) + etTenth(utcMs);
}

/** "HH:MM" in New York. */
export function etMinute(utcMs: number): string {
  return etTime(utcMs).slice(0, 5);
}

/** "Mon 25 Dec 2023" in New York; `year` false leaves the year out. */
export function etDate(utcMs: number, year = true): string {
  const date = new Date(utcMs + etOffsetMs(utcMs));
  const name = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][date.getUTCDay()];
  const month = MONTHS[date.getUTCMonth()];
  const day = `${name} ${date.getUTCDate()} ${month}`;
  return year ? `${day} ${date.getUTCFullYear()}` : day;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "2023-12-25" as "Mon 25 Dec 2023", without a time zone in between. */
export function isoDate(iso: string, year = true): string {
  const [y, m, d] = iso.split("-").map(Number);
  if (!y || !m || !d) return iso;
  const name = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][new Date(Date.UTC(y, m - 1, d)).getUTCDay()];
  return `${name} ${d} ${MONTHS[m - 1]}${year ? ` ${y}` : ""}`;
}
