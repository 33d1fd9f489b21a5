//! Many small records, by anchor, kept in few larger ones: an insert costs `sled` the same whether it is 600 bytes or 6000.
//!
//! A shelf holds neighbours in the order of their keys. Its own key is the first key that belongs on it; the first shelf
//! of all has the bare prefix. A record is on the last shelf whose key is not behind its own. A change rewrites its shelf;
//! a shelf that grows too large is cut, and all of its parts are written as one.
//!
//! On a shelf: `[length of the rest of the key][length of the value][rest of the key][value]`, lengths in four bytes,
//! little-endian. Every key holds its prefix.

use std::iter::Peekable;

use super::cache::{Cache, CacheError, Changes};
use super::codec;
use super::keys;

/// A shelf larger than this is cut, in bytes. `sled` keeps up to 17 records in a page, and a page of more than 128 KiB
/// in a file of its own, which has to be made durable one by one.
const LARGE: usize = 7 << 10;
/// So large are the parts, about: with room to grow.
const FULL: usize = 6 << 10;
/// Changes to one shelf that are taken together, in bytes.
const TOGETHER: usize = 128 << 10;

/// A key, and what is to be under it, if anything.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Takes the rest of a key and a value.
type Each<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), CacheError>;
/// Writes what it gets as one.
type Write<'a> = &'a mut dyn FnMut(Changes) -> Result<(), CacheError>;

/// The value under a key.
pub(super) fn get(cache: &Cache, key: &[u8]) -> Result<Option<Vec<u8>>, CacheError> {
    let prefix = keys::prefix_length(key);
    let Some((_, payload)) = cache.last_until(key, prefix)? else {
        return Ok(None);
    };
    let wanted = key.get(prefix..).unwrap_or_default();
    for record in Records(&payload) {
        let (rest, value) = record?;
        if rest >= wanted {
            return Ok((rest == wanted).then(|| value.to_vec()));
        }
    }
    Ok(None)
}

/// Every record below a prefix, in order of keys.
pub(super) fn scan(cache: &Cache, prefix: &[u8], each: Each<'_>) -> Result<(), CacheError> {
    let mut last: Option<Vec<u8>> = None;
    cache.scan(prefix, &mut |from, payload| {
        for record in Records(payload) {
            let (rest, value) = record?;
            if rest < from || last.as_deref().is_some_and(|last| rest <= last) {
                return Err(disorder(rest));
            }
            each(rest, value)?;
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(rest);
        }
        Ok(())
    })
}

/// How many records are on a shelf.
pub(super) fn count(payload: &[u8]) -> Result<u64, CacheError> {
    Records(payload).try_fold(0, |count, record| record.map(|_| count + 1))
}

/// Makes changes, which come in order of their keys. What one shelf becomes is written as one. Returns what is left to be
/// written, which may go together with other things, and must be written before anything is looked up.
pub(super) fn update(
    cache: &Cache,
    changes: impl Iterator<Item = Result<Change, CacheError>>,
    write: Write<'_>,
) -> Result<Changes, CacheError> {
    let mut changes = changes.peekable();
    let mut pending = Changes::default();
    loop {
        let first = match changes.peek() {
            None => return Ok(pending),
            Some(Ok((key, _))) => key,
            Some(Err(_)) => {
                // Taken to hand the error on.
                changes.next().transpose()?;
                continue;
            }
        };
        let prefix = keys::prefix_length(first);
        let found = cache.last_until(first, prefix)?;
        let (shelf, payload) =
            found.unwrap_or_else(|| (first.get(..prefix).unwrap_or_default().to_vec(), Vec::new()));
        let next = cache.next_after(first, prefix)?;
        let (news, all) = for_one_shelf(&mut changes, &shelf, prefix, next.as_deref())?;
        rewrite(&mut pending, shelf, prefix, &payload, &news)?;
        if !all || pending.is_much() {
            write(std::mem::take(&mut pending))?;
        }
    }
}

/// The next changes that belong on the shelf; and whether these are all of them.
fn for_one_shelf(
    changes: &mut Peekable<impl Iterator<Item = Result<Change, CacheError>>>,
    shelf: &[u8],
    prefix: usize,
    next: Option<&[u8]>,
) -> Result<(Vec<Change>, bool), CacheError> {
    let belongs =
        |key: &[u8]| key.get(..prefix) == shelf.get(..prefix) && next.is_none_or(|next| key < next);
    let mut news = Vec::new();
    let mut size = 0;
    loop {
        let one = match changes.peek() {
            Some(Ok((key, _))) if !belongs(key) => return Ok((news, true)),
            Some(Ok(_)) if size > TOGETHER => return Ok((news, false)),
            _ => changes.next().transpose()?,
        };
        let Some((key, value)) = one else {
            return Ok((news, true));
        };
        size += key.len() + value.as_ref().map_or(0, Vec::len);
        news.push((key, value));
    }
}

/// What becomes of a shelf.
fn rewrite(
    pending: &mut Changes,
    shelf: Vec<u8>,
    prefix: usize,
    payload: &[u8],
    news: &[Change],
) -> Result<(), CacheError> {
    let mut news = news
        .iter()
        .map(|(key, value)| (key.get(prefix..).unwrap_or_default(), value.as_deref()))
        .peekable();
    let mut records: Vec<(&[u8], &[u8])> = Vec::new();
    for record in Records(payload) {
        let old = record?;
        while let Some((rest, value)) = news.next_if(|(rest, _)| *rest < old.0) {
            records.extend(value.map(|value| (rest, value)));
        }
        if news.peek().is_none_or(|(rest, _)| *rest != old.0) {
            records.push(old);
        }
    }
    records.extend(news.filter_map(|(rest, value)| Some((rest, value?))));
    if records.is_empty() {
        pending.remove(shelf);
        return Ok(());
    }
    let size: usize = records.iter().map(size_of).sum();
    let parts = if size > LARGE { size.div_ceil(FULL) } else { 1 };
    let share = size.div_ceil(parts);
    let mut key = shelf;
    let mut part = codec::unsealed(share + FULL / 4);
    let mut filled = 0;
    for record in records {
        if filled > 0 && filled + size_of(&record) / 2 > share {
            let mut behind = key.get(..prefix).unwrap_or_default().to_vec();
            behind.extend_from_slice(record.0);
            let full = std::mem::replace(&mut part, codec::unsealed(share + FULL / 4));
            pending.put_unsealed(std::mem::replace(&mut key, behind), full);
            filled = 0;
        }
        filled += size_of(&record);
        push(&mut part, record)?;
    }
    pending.put_unsealed(key, part);
    Ok(())
}

fn size_of((rest, value): &(&[u8], &[u8])) -> usize {
    8 + rest.len() + value.len()
}

fn push(part: &mut Vec<u8>, (rest, value): (&[u8], &[u8])) -> Result<(), CacheError> {
    for piece in [rest, value] {
        let length = u32::try_from(piece.len())
            .map_err(|_large| CacheError::Damaged("a record is too large".to_owned()))?;
        part.extend_from_slice(&length.to_le_bytes());
    }
    part.extend_from_slice(rest);
    part.extend_from_slice(value);
    Ok(())
}

/// Walks the records of a shelf: the rest of the key, and the value.
struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    fn take(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (rest, after) = self.0.split_first_chunk::<4>()?;
        let (value, after) = after.split_first_chunk::<4>()?;
        let (rest, after) = after.split_at_checked(u32::from_le_bytes(*rest) as usize)?;
        let (value, after) = after.split_at_checked(u32::from_le_bytes(*value) as usize)?;
        self.0 = after;
        Some((rest, value))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), CacheError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.take();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record.ok_or_else(|| CacheError::Damaged("a record: it is cut off".to_owned())))
    }
}

fn disorder(rest: &[u8]) -> CacheError {
    CacheError::Damaged(format!(
        "the record of {} is not in its place",
        rest.escape_ascii()
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Anchor;
    use crate::store::keys::Kind;

    type Wanted = BTreeMap<Vec<u8>, Vec<u8>>;

    fn key(name: &str, anchor: &str) -> Vec<u8> {
        keys::by_anchor(Kind::Shadow, name, &Anchor::new(anchor).unwrap())
    }

    fn change(cache: &Cache, wanted: &mut Wanted, changes: Vec<Change>) {
        let changes: BTreeMap<_, _> = changes.into_iter().collect();
        for (key, value) in &changes {
            match value {
                Some(value) => wanted.insert(key.clone(), value.clone()),
                None => wanted.remove(key),
            };
        }
        let mut write = |changes| cache.apply(changes);
        let left = update(cache, changes.into_iter().map(Ok), &mut write).unwrap();
        write(left).unwrap();
    }

    /// Every record is where it is looked for, in order, and no shelf is too large for `sled`.
    fn check(cache: &Cache, wanted: &Wanted, name: &str) {
        let prefix = keys::prefix(Kind::Shadow, name);
        let of_name = wanted.iter().filter(|(key, _)| key.starts_with(&prefix));
        let of_name: Vec<_> = of_name
            .map(|(key, value)| (key[prefix.len()..].to_vec(), value.clone()))
            .collect();
        let mut found = Vec::new();
        scan(cache, &prefix, &mut |rest, value| {
            found.push((rest.to_vec(), value.to_vec()));
            Ok(())
        })
        .unwrap();
        assert!(found == of_name, "{} of {}", found.len(), of_name.len());
        for (rest, value) in found {
            let key = [&prefix[..], &rest].concat();
            assert_eq!(get(cache, &key).unwrap(), Some(value));
        }
        let mut counted = 0;
        cache
            .scan(&prefix, &mut |_, payload| {
                let records = count(payload)?;
                assert!(records > 0, "an empty shelf");
                assert!(payload.len() <= LARGE || records == 1, "a large shelf");
                counted += records;
                Ok(())
            })
            .unwrap();
        assert_eq!(counted, of_name.len() as u64);
    }

    /// Numbers that look random and are the same at every run.
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        }
    }

    #[test]
    fn whatever_is_put_and_removed_is_found_in_order() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let mut wanted = Wanted::new();
        let mut number = numbers();
        for round in 0..60 {
            let many = [1, 5, 40, 700][number(4)];
            let mut one = || {
                let name = ["crm", "crn", "c"][number(3)];
                let key = key(name, &format!("{:03x}", number(1 + (round + 1) * 30)));
                let value = (number(4) > 0).then(|| {
                    let size = [3, 600, 1500][number(3)];
                    vec![u8::try_from(number(256)).unwrap(); number(size)]
                });
                (key, value)
            };
            let changes = (0..many).map(|_| one()).collect();
            change(&cache, &mut wanted, changes);
            if round % 6 == 5 {
                for name in ["crm", "crn", "c"] {
                    check(&cache, &wanted, name);
                }
            }
        }
        assert!(wanted.len() > 1000, "{}", wanted.len());
        assert_eq!(get(&cache, &key("crm", "zzz")).unwrap(), None);
        assert_eq!(get(&cache, &key("other", "1")).unwrap(), None);
        // Backwards, one by one, until nothing is left.
        let keys: Vec<_> = wanted.keys().rev().cloned().collect();
        for key in keys {
            change(&cache, &mut wanted, vec![(key, None)]);
        }
        for name in ["crm", "crn", "c"] {
            check(&cache, &wanted, name);
        }
    }

    #[test]
    fn a_value_larger_than_a_shelf_has_one_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let mut wanted = Wanted::new();
        let sizes = [10, 300_000, 10, 20_000, 7000, 7000, 10];
        let all = sizes.iter().enumerate();
        let all = all.map(|(n, size)| (key("crm", &n.to_string()), Some(vec![7; *size])));
        change(&cache, &mut wanted, all.collect());
        let prefix = keys::prefix(Kind::Shadow, "crm");
        for (key, value) in &wanted {
            assert_eq!(get(&cache, key).unwrap().as_ref(), Some(value));
        }
        let mut seen = 0;
        scan(&cache, &prefix, &mut |_, _| {
            seen += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, sizes.len());
    }

    #[test]
    fn a_record_that_is_cut_off_or_in_the_wrong_place_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let put = |key: Vec<u8>, records: &[(&[u8], &[u8])], cut: usize| {
            let mut part = codec::unsealed(100);
            for record in records {
                push(&mut part, *record).unwrap();
            }
            part.truncate(part.len() - cut);
            let mut changes = Changes::default();
            changes.put_unsealed(key, part);
            cache.apply(changes).unwrap();
        };
        let damaged = |name: &str| {
            let prefix = keys::prefix(Kind::Shadow, name);
            let found = scan(&cache, &prefix, &mut |_, _| Ok(()));
            matches!(found, Err(CacheError::Damaged(_)))
        };
        let prefix = keys::prefix(Kind::Shadow, "cut");
        put(prefix.clone(), &[(b"a", b"1"), (b"b", b"2")], 0);
        assert!(!damaged("cut"));
        put(prefix, &[(b"a", b"1"), (b"b", b"2")], 1);
        assert!(damaged("cut"));
        assert!(get(&cache, &key("cut", "b")).is_err());
        put(key("early", "m"), &[(b"b", b"1")], 0);
        assert!(damaged("early"), "in front of its shelf");
        put(
            keys::prefix(Kind::Shadow, "twice"),
            &[(b"a", b"1"), (b"x", b"2")],
            0,
        );
        assert!(!damaged("twice"));
        put(key("twice", "m"), &[(b"n", b"1")], 0);
        assert!(damaged("twice"), "behind the shelf after its own");
    }
}
