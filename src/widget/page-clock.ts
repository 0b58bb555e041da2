/** The page's time, ms. It never runs backwards, whatever happens to the wall clock. */
export function pageNow(): number {
  return performance.timeOrigin + performance.now()
}
