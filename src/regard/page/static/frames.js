// A video by its frames: which one is shown, and to show one. The browser's clock begins where it likes and the frames'
// rate varies, so a frame is known by its own time in the file, and its time on the recording's clock looked up.

import { firstFrom, nearest } from "./overlay.js";

const HAIR_S = 1e-4; // the browser's times are rounded to microseconds
const TELLING_MS = 100; // a busy browser may never call back about the picture that a jump ended at

export class Frames {
  // frames = {shown_s, taken_s}: of each frame its time in the file from the first one on, and on the recording's clock.
  // changed(): another frame is shown, at `number` and `timeS`.
  constructor(video, frames, changed) {
    Object.assign(this, { video, changed, shownS: frames.shown_s, takenS: frames.taken_s });
    this.number = 0;
    this.beginS = null; // of the browser's clock, where the first frame is
    this.wanted = null; // the frame to jump to as soon as the last jump is done
    this.aim = null; // the frame that was jumped to and is not shown yet
    this.hasCallback = "requestVideoFrameCallback" in video;
    if (this.hasCallback) video.requestVideoFrameCallback((_, about) => this.#presented(about.mediaTime));
    else this.#watch();
    video.addEventListener("seeked", () => this.#sought());
    video.addEventListener("play", () => (this.aim = null));
  }

  get timeS() {
    return this.takenS[this.number];
  }

  get last() {
    return this.shownS.length - 1;
  }

  // Number of the frame that is shown at a moment of the recording.
  at(timeS) {
    return Math.max(0, firstFrom(this.takenS, timeS + HAIR_S) - 1);
  }

  seek(timeS) {
    this.show(this.at(timeS));
  }

  step(by) {
    this.video.pause();
    this.show((this.aim ?? this.number) + by);
  }

  // Jumps into the middle of a frame, where no rounding leads to its neighbour; of many jumps in a row, to the last.
  show(number) {
    this.wanted = this.aim = Math.min(Math.max(number, 0), this.last);
    if (!this.video.seeking) this.#seekOn();
  }

  #seekOn() {
    if (this.wanted === null || this.beginS === null) return;
    const { shownS } = this, number = this.wanted, usualS = this.last ? shownS[this.last] / this.last : 0.04;
    const longS = number < this.last ? shownS[number + 1] - shownS[number] : usualS;
    this.wanted = null;
    this.video.currentTime = this.beginS + shownS[number] + Math.min(longS, usualS) / 2;
    if (!this.hasCallback) this.#shown(number);
  }

  // A jump has ended: on to the next, or, if nothing is heard of its picture, that is the one that was asked for.
  #sought() {
    this.#seekOn();
    const { aim } = this;
    setTimeout(() => {
      if (aim !== null && aim === this.aim && !this.video.seeking && this.wanted === null) this.#shown(aim);
    }, TELLING_MS);
  }

  #presented(mediaTime) {
    if (this.beginS === null) {
      this.beginS = mediaTime; // the first picture that a browser shows is the first frame
      this.#shown(0);
      this.#seekOn();
    } else {
      this.#shown(nearest(this.shownS, mediaTime - this.beginS));
    }
    this.video.requestVideoFrameCallback((_, about) => this.#presented(about.mediaTime));
  }

  // Where the browser does not tell which frame it shows: by its clock.
  #watch() {
    this.beginS = 0;
    const look = () => {
      this.#shown(Math.max(0, firstFrom(this.shownS, this.video.currentTime + HAIR_S) - 1));
      requestAnimationFrame(look);
    };
    this.video.addEventListener("loadeddata", look, { once: true });
  }

  #shown(number) {
    const isOther = number !== this.number || !this.hasShown;
    if (number === this.aim) this.aim = null;
    this.number = number;
    this.hasShown = true;
    if (isOther) this.changed();
  }
}
