"""A login with Authlib, by discovery alone and without an option that relaxes a check."""

import html
import os
import re
from urllib.parse import urljoin

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

ISSUER, REDIRECT_URI = os.environ["ISSUER"], os.environ["REDIRECT_URI"]


def callback(url):
    """The browser of a user, who logs in as johndoe and allows what they are asked."""
    browser = requests.Session()
    response = browser.get(url, allow_redirects=False)
    for _ in range(10):
        if response.status_code == 303:
            url = urljoin(url, response.headers["location"])
            if url.startswith(REDIRECT_URI):
                return url
            response = browser.get(url, allow_redirects=False)
            continue
        assert response.status_code == 200, response.text
        fields = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', response.text)
        form = [(name, html.unescape(value)) for name, value in fields]
        if 'name="password"' in response.text:
            form += [("username", "johndoe"), ("password", "secret123")]
        else:
            form += [("decision", "allow")]
        url = urljoin(url, re.search(r'action="([^"]*)"', response.text).group(1))
        response = browser.post(url, data=form, allow_redirects=False)
    raise AssertionError("the client is not reached")


metadata = requests.get(f"{ISSUER}/.well-known/openid-configuration").json()
assert metadata["issuer"] == ISSUER
session = OAuth2Session(
    os.environ["CLIENT_ID"],
    os.environ["CLIENT_SECRET"],
    scope="openid profile offline_access",
    redirect_uri=REDIRECT_URI,
    code_challenge_method="S256",
)
verifier, nonce = generate_token(48), generate_token()
url, state = session.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
token = session.fetch_token(
    metadata["token_endpoint"],
    authorization_response=callback(url),
    code_verifier=verifier,
    state=state,
)
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"]).json())
expected = {
    "iss": {"essential": True, "value": ISSUER},
    "aud": {"essential": True, "value": os.environ["CLIENT_ID"]},
}
claims = JsonWebToken(metadata["id_token_signing_alg_values_supported"]).decode(
    token["id_token"],
    keys,
    claims_cls=CodeIDToken,
    claims_options=expected,
    claims_params={"nonce": nonce, "client_id": os.environ["CLIENT_ID"], "access_token": token["access_token"]},
)
claims.validate()
assert claims["sub"] == "johndoe"
user = session.get(metadata["userinfo_endpoint"]).json()
assert user["sub"] == claims["sub"] and user["name"] == "John Doe", user
old = token["refresh_token"]
token = session.refresh_token(metadata["token_endpoint"], refresh_token=old)
assert token["refresh_token"] != old
introspected = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
assert introspected["active"] is True
assert session.revoke_token(metadata["revocation_endpoint"], token=token["refresh_token"]).status_code == 200
assert session.get(metadata["userinfo_endpoint"]).status_code == 401
print("ok")
