/** Number of the first sample of the present call, on the sound card's clock. */
declare const currentFrame: number
