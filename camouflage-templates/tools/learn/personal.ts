/** What a recording holds of a person, or of his session, and must not go into a template that all members share. */

/** Members, parameters and headers whose values are somebody's, whatever they look like. */
const names =
  /(^|[-_.])(user|username|login|account|owner|author|name|firstname|lastname|fullname|nick|nickname|displayname|e?mail|phone|mobile|address|street|zip|city|birth(day|date)?|gender|lat|latitude|lon|lng|longitude|ip|password|passwd|pwd|secret|session|sessionid|sid|auth|jwt|apikey|api_key|access_token|id_token|refresh_token|csrf|xsrf|customer|person|contact|q|query|search|term|keyword)([-_.]|$)/i

/** Headers that prove who somebody is. */
const credentials =
  /^(cookie|set-cookie|authorization|proxy-authorization|x-api-key|x-auth.*|x-.*(token|csrf|xsrf|session|user).*)$/i

const email = /[\p{L}\p{N}._%+-]+@[\p{L}\p{N}.-]+\.\p{L}{2,}/u
const ipv4 = /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/
const ipv6 = /(?<![0-9a-f:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}(?![0-9a-f:])/i
const jwt = /eyJ[\w-]{6,}\.[\w-]*\.?/
const phone = /(?<!\d)\+\d[\d ()-]{6,}\d/

/** Splits camel case, so that `userName` counts as `user-name`. */
const words = (name: string): string => name.replaceAll(/([a-z])([A-Z])/g, '$1-$2')

/** Why the value must not be copied; undefined where nothing says so. */
export function personalReason(name: string, value: string): string | undefined {
  if (credentials.test(name)) return 'proves who somebody is'
  if (email.test(value)) return 'an e-mail address'
  if (ipv4.test(value) || ipv6.test(value)) return 'an IP address'
  if (jwt.test(value)) return 'a signed token'
  if (phone.test(value)) return 'a telephone number'
  // How an application names its own calls.
  if (/^operation-?name$/i.test(words(name)) || (name === 'query' && value.includes('{'))) return undefined
  return names.test(words(name)) ? 'a value under a name that means a person or a session' : undefined
}

export function isCredential(header: string): boolean {
  return credentials.test(header)
}
