// How often the server is asked again: when nothing happens, never so often that answering takes it more than one
// percent of the time.

/** Of this many parts of its time, a server spends one at most on answering us. */
const SHARE = 100;

/** How long news may wait in milliseconds, unless they are dear. */
const PATIENCE = 2000;

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

  /**
   * How long to wait in milliseconds before something that an event concerns is asked for, if the last answer took
   * so long and came in so long ago. After a quiet time that is a moment; while much happens, it is as in pause, but
   * no longer than a person would wait who knows that something happened.
   */
  soon(moment: number, took: number, ago: number): number {
    return Math.max(moment, Math.min(this.pause(0, took) - ago, Math.max(PATIENCE, took * 10)));
  }
}

/** That of this page. */
export const pace = new Pace();
