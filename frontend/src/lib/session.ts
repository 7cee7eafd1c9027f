/** The whole capture in a few hundred buckets: mid, volume and drops of what has been received. */

export class SessionTrace {
  readonly nBins: number;
  readonly buckets: number;
  /** Last mid per bucket, 0 where nothing valid was received. */
  readonly mid: Float64Array;
  readonly volume: Float64Array;
  readonly dropped: Uint8Array;
  low = Number.POSITIVE_INFINITY;
  high = Number.NEGATIVE_INFINITY;
  maxVolume = 0;
  #last = -1;

  constructor(nBins: number, buckets = 720) {
    this.nBins = Math.max(1, nBins);
    this.buckets = Math.min(buckets, this.nBins);
    this.mid = new Float64Array(this.buckets);
    this.volume = new Float64Array(this.buckets);
    this.dropped = new Uint8Array(this.buckets);
  }

  bucketOf(seq: number): number {
    return Math.min(this.buckets - 1, Math.max(0, Math.floor((seq / this.nBins) * this.buckets)));
  }

  /** Bin at a share 0..1 of the capture. */
  seqAt(share: number): number {
    return Math.min(this.nBins - 1, Math.max(0, Math.floor(share * this.nBins)));
  }

  add(seq: number, mid: number, volume: number, dropped: number): void {
    const bucket = this.bucketOf(seq);
    if (seq <= this.#last) this.volume.fill(0, bucket);
    this.#last = seq;
    if (mid > 0) {
      this.mid[bucket] = mid;
      if (mid < this.low) this.low = mid;
      if (mid > this.high) this.high = mid;
    }
    this.volume[bucket] += volume;
    if (this.volume[bucket] > this.maxVolume) this.maxVolume = this.volume[bucket];
    if (dropped > 0) this.dropped[bucket] = 1;
  }
}
