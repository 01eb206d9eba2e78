use std::time::Duration;

use async_graphql::{Response, Value, parser::types::OperationType};
use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::operations::{MAX_LIVE, Operations, Step};
use crate::graphql::Reply;

fn reply() -> Reply {
    Reply::new(Response::new(Value::from(1)), "r")
}

async fn next(operations: &mut Operations) -> (String, &'static str, String) {
    let (id, step) = timeout(Duration::from_secs(5), operations.next()).await.unwrap();
    let text = |reply: &Reply| String::from_utf8(reply.to_json()).unwrap();
    match step {
        Step::Next(reply) => (id, "next", text(&reply)),
        Step::Error(reply) => (id, "error", text(&reply)),
        Step::Done => (id, "done", String::new()),
    }
}

#[tokio::test]
async fn replies_come_in_order_and_then_the_end() {
    let (mut operations, tasks) = (Operations::new(), TaskTracker::new());
    operations.launch("a".into(), OperationType::Subscription, &tasks, "r".into(), || {
        stream::iter([reply(), reply()])
    });
    assert!(operations.contains("a"));
    for expected in ["next", "next", "done"] {
        assert_eq!(next(&mut operations).await.1, expected);
    }
    assert!(operations.is_empty());
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_nothing_more() {
    let (mut operations, tasks) = (Operations::new(), TaskTracker::new());
    operations.launch("a".into(), OperationType::Query, &tasks, "r-1".into(), || {
        stream::once(async { panic!("on purpose") })
    });
    let (id, step, text) = next(&mut operations).await;
    assert_eq!((id.as_str(), step), ("a", "error"));
    assert!(text.contains("INTERNAL_SERVER_ERROR") && text.contains("r-1"), "{text}");
    assert!(!text.contains("on purpose"), "{text}");
    assert!(operations.is_empty());

    operations.launch("b".into(), OperationType::Subscription, &tasks, "r-2".into(), || {
        stream::unfold(
            true,
            |first| async move { first.then(|| (reply(), false)).or_else(|| panic!()) },
        )
    });
    for expected in ["next", "next", "done"] {
        let (id, step, _) = next(&mut operations).await;
        assert_eq!((id.as_str(), step), ("b", expected));
    }
}

#[tokio::test]
async fn what_was_stopped_says_nothing_more_even_if_its_id_is_used_again() {
    let (mut operations, tasks) = (Operations::new(), TaskTracker::new());
    operations.launch("a".into(), OperationType::Query, &tasks, "old".into(), || {
        stream::iter([Reply::refused("old", "OLD", "old")])
    });
    // It reports, and its reports are in the queue.
    tokio::task::yield_now().await;
    assert!(operations.stop("a"));
    assert!(!operations.stop("a"));
    operations
        .launch("a".into(), OperationType::Query, &tasks, "new".into(), || stream::iter([reply()]));
    assert_eq!(next(&mut operations).await.1, "next");
    assert_eq!(next(&mut operations).await.1, "done");
    let quiet = timeout(Duration::from_millis(50), operations.next()).await;
    assert!(quiet.is_err());
}

#[tokio::test]
async fn tasks_end_with_their_operations() {
    let (mut operations, tasks) = (Operations::new(), TaskTracker::new());
    for number in 0..MAX_LIVE {
        assert!(!operations.is_full());
        let kind = match number {
            0 => OperationType::Mutation,
            _ => OperationType::Subscription,
        };
        let request = String::new();
        operations.launch(number.to_string(), kind, &tasks, request, stream::pending);
    }
    assert!(operations.is_full());
    operations.stop_subscriptions();
    assert!(operations.contains("0") && !operations.contains("1"));
    drop(operations);
    tasks.close();
    timeout(Duration::from_secs(5), tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn replies_wait_for_whoever_sends_them() {
    let (mut operations, tasks) = (Operations::new(), TaskTracker::new());
    let (told, made) = tokio::sync::watch::channel(0);
    operations.launch("a".into(), OperationType::Subscription, &tasks, "r".into(), || {
        stream::iter(0..1000).map(move |_| {
            told.send_modify(|count| *count += 1);
            reply()
        })
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(*made.borrow() < 20, "{}", *made.borrow());
    for _ in 0..1000 {
        assert_eq!(next(&mut operations).await.1, "next");
    }
    assert_eq!(next(&mut operations).await.1, "done");
}
