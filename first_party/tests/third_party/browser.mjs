// The browser of a user: keeps cookies, logs in as johndoe, allows what it is asked, and returns the
// URL by which it comes back to the client.

const unescape = (text) =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))

export async function callback(start, redirectUri) {
  const cookies = new Map()
  const send = async (url, init = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie, accept: 'text/html' } })
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';')
      const at = pair.indexOf('=')
      cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    return response
  }
  let url = new URL(start)
  let response = await send(url)
  for (let step = 0; step < 10; step++) {
    if (response.status === 303) {
      url = new URL(response.headers.get('location'), url)
      if (url.href.startsWith(redirectUri)) return url
      response = await send(url)
      continue
    }
    const page = await response.text()
    if (response.status !== 200) throw new Error(`${response.status} at ${url}: ${page}`)
    const form = new URLSearchParams()
    for (const [, name, value] of page.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)) {
      form.append(name, unescape(value))
    }
    if (page.includes('name="password"')) {
      form.append('username', 'johndoe')
      form.append('password', 'secret123')
    } else {
      form.append('decision', 'allow')
    }
    url = new URL(page.match(/action="([^"]*)"/)[1], url)
    response = await send(url, { method: 'POST', body: form })
  }
  throw new Error('the client is not reached')
}
