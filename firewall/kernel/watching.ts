/** What the filter's supervisor says first: it is there. */
export const WATCHING = 'watching'
