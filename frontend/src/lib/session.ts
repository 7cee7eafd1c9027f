/** The whole capture in a few hundred buckets: mid, volume and drops, as the service tells them or as they come in. */

export interface Overview {
  n_bins: number;
  bins_per_point: number;
  mid: readonly (number | null)[];
  buy_volume: readonly number[];
  sell_volume: readonly number[];
}

/** Points to ask an overview for: the service's points then are our buckets. */
export const SESSION_POINTS = 720;

export class SessionTrace {
  readonly nBins: number;
  readonly binsPerBucket: number;
  readonly buckets: number;
  /** Last mid per bucket, 0 where nothing valid is known. */
  readonly mid: Float64Array;
  readonly volume: Float64Array;
  readonly dropped: Uint8Array;
  low = Number.POSITIVE_INFINITY;
  high = Number.NEGATIVE_INFINITY;
  maxVolume = 0;
  #last = -1;
  #known = false;

  constructor(nBins: number, points = SESSION_POINTS) {
    this.nBins = Math.max(1, nBins);
    this.binsPerBucket = Math.ceil(this.nBins / points);
    this.buckets = Math.ceil(this.nBins / this.binsPerBucket);
    this.mid = new Float64Array(this.buckets);
    this.volume = new Float64Array(this.buckets);
    this.dropped = new Uint8Array(this.buckets);
  }

  bucketOf(seq: number): number {
    return Math.min(this.buckets - 1, Math.max(0, Math.floor(seq / this.binsPerBucket)));
  }

  /** Where a bucket begins, as a share 0..1 of the capture. */
  startOf(bucket: number): number {
    return Math.min(1, (bucket * this.binsPerBucket) / this.nBins);
  }

  /** Bin at a share 0..1 of the capture. */
  seqAt(share: number): number {
    return Math.min(this.nBins - 1, Math.max(0, Math.floor(share * this.nBins)));
  }

  /** Take mid and volume of the whole capture; bins that come in add nothing to them any more. */
  fill(whole: Overview): void {
    if (whole.n_bins !== this.nBins || whole.bins_per_point !== this.binsPerBucket) return;
    this.#known = true;
    this.low = Number.POSITIVE_INFINITY;
    this.high = Number.NEGATIVE_INFINITY;
    this.maxVolume = 0;
    this.volume.fill(0);
    this.mid.fill(0);
    for (let i = 0; i < this.buckets; i += 1) this.#count(i, whole.mid[i] ?? 0, whole.buy_volume[i] + whole.sell_volume[i]);
  }

  #count(bucket: number, mid: number, volume: number): void {
    if (mid > 0) {
      this.mid[bucket] = mid;
      if (mid < this.low) this.low = mid;
      if (mid > this.high) this.high = mid;
    }
    this.volume[bucket] += volume;
    if (this.volume[bucket] > this.maxVolume) this.maxVolume = this.volume[bucket];
  }

  add(seq: number, mid: number, volume: number, dropped: number): void {
    const bucket = this.bucketOf(seq);
    if (!this.#known) {
      if (seq <= this.#last) this.volume.fill(0, bucket);
      this.#count(bucket, mid, volume);
    }
    this.#last = seq;
    if (dropped > 0) this.dropped[bucket] = 1;
  }
}
