//! Lists of scopes (RFC 6749, section 3.3).

use crate::error::OAuthError;

/// The scopes of a list, each once, in the order in which they were asked for.
///
/// Each must be `known`, so the result is never longer than `known`, however long the list is:
/// anyone can make a server store one.
pub fn parse(list: &str, known: &[impl AsRef<str>]) -> Result<Vec<String>, OAuthError> {
    let mut scopes = Vec::new();
    for scope in list.split(' ') {
        if !contains(known, scope) {
            return Err(INVALID_SCOPE);
        }
        if !contains(&scopes, scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

/// The scopes of a refreshed token: all that the user granted, or the fewer that the client asks
/// for, but never more (RFC 6749, section 6).
pub fn narrow(requested: Option<&str>, granted: &[String]) -> Result<Vec<String>, OAuthError> {
    requested.map_or_else(|| Ok(granted.to_vec()), |list| parse(list, granted))
}

const INVALID_SCOPE: OAuthError = OAuthError {
    error: "invalid_scope",
    description: "a scope is unknown or was not granted; separate scopes by single spaces",
};

fn contains(scopes: &[impl AsRef<str>], scope: &str) -> bool {
    scopes.iter().any(|known| known.as_ref() == scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_is_kept_once_in_the_order_requested() {
        let list = "b a ".repeat(10_000) + "b";
        assert_eq!(parse(&list, &["a", "b", "c"]).unwrap(), ["b", "a"]);
    }

    #[test]
    fn an_unknown_scope_or_a_malformed_list_is_invalid() {
        for list in ["", " ", "a b", "a ", " a", "a  a", "A", "a,c"] {
            let error = parse(list, &["a", "c"]).unwrap_err();
            assert_eq!(error.error, "invalid_scope", "{list:?}");
        }
    }

    #[test]
    fn a_refresh_gets_the_same_or_less_but_never_more() {
        let granted = ["a".to_owned(), "b".to_owned()];
        assert_eq!(narrow(None, &granted).unwrap(), granted);
        assert_eq!(narrow(Some("b"), &granted).unwrap(), ["b"]);
        assert!(narrow(Some("b c"), &granted).is_err());
        assert!(narrow(Some("b"), &[]).is_err());
    }
}
