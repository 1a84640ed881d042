/** A benchmark moves in a minute what a member moves in years: the flow meter measures as ever, and lets it go. */
export const METER_TIMES = 1_000
