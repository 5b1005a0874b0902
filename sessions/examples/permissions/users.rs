//! The JSON API for admins: the accounts, and what each may do.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use common::{Error, Result, oauth::OAuth, server::check_same_origin};

use super::{
    accounts::Accounts,
    guard::{ADMIN, PERMISSIONS, Permitted},
    store::Entry,
};

/// `GET /admin/users`: every account with its permissions. A real application would paginate it.
pub async fn list(
    _: Permitted<{ ADMIN }>,
    State(accounts): State<Accounts>,
) -> Result<Json<Vec<Entry>>> {
    Ok(Json(accounts.users().await?))
}

/// `PUT /admin/users/{id}/permissions/{permission}`: grants it; doing so again changes nothing.
pub async fn grant(
    Permitted(admin): Permitted<{ ADMIN }>,
    State(oauth): State<OAuth>,
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Path((id, permission)): Path<(i64, String)>,
) -> Result<Json<Entry>> {
    check_same_origin(&headers, oauth.public_url())?;
    let permission = known(&permission)?;
    if accounts.grant(id, permission).await? {
        tracing::info!(
            "account {} has granted {permission} to account {id}",
            admin.id
        );
    }
    let user = accounts.user(id).await?.ok_or_else(no_such_user)?;
    Ok(Json(user))
}

/// `DELETE /admin/users/{id}/permissions/{permission}`: revokes it, but never the last `Admin`.
pub async fn revoke(
    Permitted(admin): Permitted<{ ADMIN }>,
    State(oauth): State<OAuth>,
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Path((id, permission)): Path<(i64, String)>,
) -> Result<Json<Entry>> {
    check_same_origin(&headers, oauth.public_url())?;
    let permission = known(&permission)?;
    let revoked = accounts.revoke(id, permission).await?;
    if revoked {
        tracing::info!(
            "account {} has revoked {permission} from account {id}",
            admin.id
        );
    }
    let user = accounts.user(id).await?.ok_or_else(no_such_user)?;
    if !revoked && user.permissions.iter().any(|kept| kept == permission) {
        let detail = "this is the last Admin; make somebody else Admin first";
        return Err((StatusCode::CONFLICT, detail).into());
    }
    Ok(Json(user))
}

/// The permission of this name, from the list and not from the request.
fn known(name: &str) -> Result<&'static str> {
    PERMISSIONS
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| (StatusCode::NOT_FOUND, "there is no such permission").into())
}

fn no_such_user() -> Error {
    (StatusCode::NOT_FOUND, "there is no such user").into()
}
