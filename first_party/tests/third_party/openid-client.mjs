// A login with openid-client, by discovery alone and without an option that relaxes a check.

import assert from 'node:assert/strict'
import * as openid from 'openid-client'
import { callback } from './browser.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env
const config = await openid.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET)
// The signature of the ID token is checked too, not only where it comes from.
openid.enableNonRepudiationChecks(config)

const verifier = openid.randomPKCECodeVerifier()
const [state, nonce] = [openid.randomState(), openid.randomNonce()]
const url = openid.buildAuthorizationUrl(config, {
  redirect_uri: REDIRECT_URI,
  scope: 'openid profile offline_access',
  code_challenge: await openid.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  prompt: 'consent',
  state,
  nonce,
})
const tokens = await openid.authorizationCodeGrant(config, await callback(url, REDIRECT_URI), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
})
const { sub } = tokens.claims()
assert.equal(sub, 'johndoe')
assert.equal((await openid.fetchUserInfo(config, tokens.access_token, sub)).name, 'John Doe')
const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token)
assert.equal((await openid.tokenIntrospection(config, refreshed.access_token)).active, true)
await openid.tokenRevocation(config, refreshed.refresh_token)
await assert.rejects(openid.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' })
const end = openid.buildEndSessionUrl(config, { id_token_hint: tokens.id_token })
assert.equal((await fetch(end)).status, 200)
console.log('ok')
