// A login with oauth4webapi, by discovery alone and without an option that relaxes a check.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { callback } from './browser.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env
const issuer = new URL(ISSUER)
const client = { client_id: CLIENT_ID }
const secret = oauth.ClientSecretBasic(CLIENT_SECRET)

for (const algorithm of ['oidc', 'oauth2']) {
  const discovered = await oauth.discoveryRequest(issuer, { algorithm })
  const as = await oauth.processDiscoveryResponse(issuer, discovered)

  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: CLIENT_ID,
    redirect_uri: REDIRECT_URI,
    response_type: 'code',
    scope: 'openid profile email offline_access some.scope',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: '60',
    state,
    nonce,
  })
  const answer = oauth.validateAuthResponse(as, client, await callback(url, REDIRECT_URI), state)
  const response = await oauth.authorizationCodeGrantRequest(as, client, secret, answer, REDIRECT_URI, verifier)
  const checks = { expectedNonce: nonce, maxAge: 60, requireIdToken: true }
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, checks)
  await oauth.validateApplicationLevelSignature(as, response)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  assert.equal(claims.sub, 'johndoe')

  const userinfo = await oauth.userInfoRequest(as, client, tokens.access_token)
  const user = await oauth.processUserInfoResponse(as, client, claims.sub, userinfo)
  assert.equal(user.email, 'johndoe@example.com')

  // As an API would check the access token (RFC 9068).
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  const request = new Request(new URL('/endpoint1', issuer), { headers })
  const access = await oauth.validateJwtAccessToken(as, request, ISSUER)
  assert.equal(access.client_id, CLIENT_ID)

  const refreshed = await oauth.processRefreshTokenResponse(
    as,
    client,
    await oauth.refreshTokenGrantRequest(as, client, secret, tokens.refresh_token),
  )
  const introspect = async (token) =>
    oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, secret, token))
  assert.equal((await introspect(refreshed.access_token)).active, true)
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, secret, refreshed.refresh_token),
  )
  assert.equal((await introspect(refreshed.access_token)).active, false)

  const own = await oauth.clientCredentialsGrantRequest(as, client, secret, { scope: 'some.scope' })
  assert.equal((await oauth.processClientCredentialsResponse(as, client, own)).scope, 'some.scope')
}
console.log('ok')
