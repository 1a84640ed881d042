/** Paths that the built-in templates use, and the site's own beside them. */

/** GET of `beacon`. */
export const features = '/api/features/desktop.json'
export const snapshot = '/api/features/desktop/snapshot.json'
/** POST of `support-chat`, whose token stands in the body. */
export const messages = '/api/support/v1/conversations/messages'
export const sync = '/api/support/v1/conversations/sync'
/** POST of `gallery`, whose token stands in the query. */
export const uploads = '/photos/uploads'
/** GET of `gallery`: no such file. */
export const drawn = '/photos/harbour/IMG_1234.png'
/** A file of the site under a path of `gallery`. */
export const picture = '/photos/harbour/DSC04410.png'

/** A token that nobody expects, hexadecimal. */
export const unknownToken = '0123456789abcdef0123456789abcdef'
