//! A Rust file as tokens: names and punctuation, without comments, strings and what is compiled for tests only.

/// A name, or one character of punctuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Name(String),
    Mark(char),
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        match self {
            Self::Name(name) => name == text,
            Self::Mark(mark) => text.len() == 1 && text.starts_with(*mark),
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Mark(_) => None,
        }
    }
}

/// Every token of `text` in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(length) = quoted(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let end = end.unwrap_or(rest.len());
            found.push(Token::Name(rest[..end].to_owned()));
            end
        } else {
            if !first.is_whitespace() {
                found.push(Token::Mark(first));
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    found
}

/// The length of the text, byte text or character that `rest` begins with. A lifetime is none.
fn quoted(rest: &str) -> Option<usize> {
    let bare = rest.strip_prefix('b').unwrap_or(rest);
    let prefix = rest.len() - bare.len();
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &raw[hashes + 1..];
            let at = inside.find(&end)?;
            return Some(prefix + 1 + hashes + 1 + at + end.len());
        }
    }
    let quote = bare.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in bare.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(prefix + at + 1),
            _ => {}
        }
        // 'x' and '\n' close at once; 'static does not.
        if quote == '\''
            && !escaped
            && !bare.starts_with("'\\")
            && bare.chars().nth(2) != Some(quote)
        {
            return None;
        }
    }
    None
}

/// Without the items under `#[cfg(test)]`; the names of the modules among them that are files come second.
pub(crate) fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut rest = tokens.as_slice();
    while let Some(first) = rest.first() {
        if rest.len() < mark.len() || !mark.iter().zip(rest).all(|(text, token)| token.is(text)) {
            kept.push(first.clone());
            rest = &rest[1..];
            continue;
        }
        rest = &rest[mark.len()..];
        let item = &rest[..end_of_item(rest)];
        if let [word, name, end] = item
            && word.is("mod")
            && end.is(";")
        {
            modules.extend(name.name().map(str::to_owned));
        }
        rest = &rest[item.len()..];
    }
    (kept, modules)
}

/// An item ends with its `;` or with the brace that closes its body.
fn end_of_item(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('{' | '(' | '[') => depth += 1,
            Token::Mark('}' | ')' | ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.is("}") {
                    return at + 1;
                }
            }
            Token::Mark(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}
