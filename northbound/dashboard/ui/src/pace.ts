// How often the server is asked again: never so often that answering takes it more than one percent of the time.

/** Of this many parts of its time, a server spends one at most on answering us. */
const SHARE = 100;

export class Pace {
  private quickest = Infinity;

  /**
   * How long to wait in milliseconds after an answer that took so long, if it is to be asked for again every
   * so often. What the quickest answer took is the way there and back, and costs the server nothing.
   */
  pause(every: number, took: number): number {
    this.quickest = Math.min(this.quickest, took);
    return Math.max(every, (took - this.quickest) * SHARE);
  }
}

/** That of this page. */
export const pace = new Pace();
