//! Waiting for a database: what passes is waited for and told once, what doesn't ends it at once,
//! and the limit holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use migrate::Target;
use migrate::testing::{Engine, TestDatabase, with_database};
use migrate::wait_for_database::{Cause, Obstacle, WaitError, Waited, until_ready};
use sqlx::ConnectOptions as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::execute;

migrate::on_every_database! {
    a_database_that_is_ready_is_not_waited_for,
}

const ENOUGH: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(700);

/// Waits and gives the obstacles that were told.
async fn wait(target: &Target, timeout: Duration) -> (Result<Waited, WaitError>, Vec<Obstacle>) {
    let mut told = Vec::new();
    let result = until_ready(target, timeout, |event| told.push(event.obstacle)).await;
    (result, told)
}

fn at(address: SocketAddr) -> Target {
    Target::parse(&format!("mysql://u:s3cret@{address}/app")).unwrap()
}

/// Waits until the limit and gives the obstacle.
async fn in_the_way(target: &Target) -> Obstacle {
    let begun = Instant::now();
    let (result, told) = wait(target, SHORT).await;
    assert!(begun.elapsed() < SHORT + Duration::from_secs(2), "{:?}", begun.elapsed());
    let error = result.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    let WaitError::TimedOut { obstacle, waited, .. } = error else { panic!("{error}") };
    assert!(waited >= SHORT, "{waited:?}");
    assert!(told.len() <= 1, "each is told once: {told:?}");
    obstacle
}

/// Waits, which must end at once, and gives the cause.
async fn hopeless(target: &Target) -> (Cause, String) {
    let begun = Instant::now();
    let (result, told) = wait(target, ENOUGH).await;
    assert!(begun.elapsed() < ENOUGH / 2, "{:?}", begun.elapsed());
    let error = result.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    let WaitError::Hopeless { cause, .. } = error else { panic!("{error}") };
    assert_eq!(told, [], "{error}");
    (cause, error.to_string())
}

/// A server that does `first` with its first connections and hands the others to a real one.
async fn fake<F, Fut>(first: usize, real: Option<SocketAddr>, act: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match real {
                Some(real) if count.fetch_add(1, Ordering::Relaxed) >= first => {
                    tokio::spawn(async move {
                        let mut server = TcpStream::connect(real).await.unwrap();
                        let _ = copy_bidirectional(&mut stream, &mut server).await;
                    });
                }
                _ => drop(tokio::spawn(act(stream))),
            }
        }
    });
    address
}

/// An `ERR_Packet` instead of the greeting, as a server sends it that can't take the connection.
fn refusal(number: u16, state: &str, text: &str) -> Vec<u8> {
    let mut packet = vec![0xff];
    packet.extend(number.to_le_bytes());
    packet.extend(format!("#{state}{text}").bytes());
    let mut sent = u32::try_from(packet.len()).unwrap().to_le_bytes().to_vec();
    sent.extend(packet);
    sent
}

async fn refusing(number: u16, state: &'static str) -> SocketAddr {
    fake(0, None, move |mut stream| async move {
        stream.write_all(&refusal(number, state, "no")).await.unwrap();
    })
    .await
}

async fn a_database_that_is_ready_is_not_waited_for(database: TestDatabase) {
    execute(&database, "CREATE TABLE a (x INTEGER)").await;
    let (result, told) = wait(&database.target, ENOUGH).await;
    assert_eq!((result.unwrap().attempts, told), (1, vec![]));
    let (result, _) = wait(&database.target, Duration::ZERO).await;
    assert_eq!(result.unwrap().attempts, 1, "a limit of zero tries once");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(in_the_way(&at(address)).await, Obstacle::Refused);
    let socket = Target::parse("mysql://u@localhost/app?socket=/nonexistent/mysqld.sock").unwrap();
    assert_eq!(in_the_way(&socket).await, Obstacle::Refused);
}

#[tokio::test]
async fn the_name_is_not_known() {
    let target = Target::parse("mysql://u:s3cret@no-such-host.invalid/app").unwrap();
    // Where there is no DNS at all, asking it may take longer than the limit.
    let obstacle = in_the_way(&target).await;
    assert!(matches!(obstacle, Obstacle::NameUnknown | Obstacle::Silent), "{obstacle:?}");
}

#[tokio::test]
async fn the_connection_is_closed_again() {
    let closing = fake(0, None, async |stream| drop(stream)).await;
    assert_eq!(in_the_way(&at(closing)).await, Obstacle::Closed);
    let resetting = fake(0, None, async |stream| {
        // Closing with something unread resets the connection.
        stream.set_zero_linger().unwrap();
        drop(stream);
    })
    .await;
    assert_eq!(in_the_way(&at(resetting)).await, Obstacle::Closed);
}

#[tokio::test]
async fn the_limit_holds_while_a_connection_hangs() {
    let silent = fake(0, None, async |stream| {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(in_the_way(&at(silent)).await, Obstacle::Silent);
    // Reserved for documentation: packets to it vanish, or the network says that it can't be reached.
    let nowhere = in_the_way(&at("192.0.2.1:3306".parse().unwrap())).await;
    assert!(
        matches!(nowhere, Obstacle::Silent | Obstacle::Unreachable | Obstacle::Refused),
        "{nowhere:?}"
    );
}

#[tokio::test]
async fn what_a_server_says_before_its_greeting_is_understood() {
    for (number, state, obstacle) in [
        (1040, "08004", Obstacle::TooManyConnections),
        (1203, "42000", Obstacle::TooManyConnections),
        (1053, "08S01", Obstacle::Stopping),
        (2013, "HY000", Obstacle::Closed),
        (1047, "08S01", Obstacle::Starting),
    ] {
        assert_eq!(in_the_way(&at(refusing(number, state).await)).await, obstacle, "{number}");
    }
    for (number, state, cause) in [
        (1130, "HY000", Cause::NoAccess),
        (1129, "HY000", Cause::NoAccess),
        (1045, "28000", Cause::Password),
    ] {
        assert_eq!(hopeless(&at(refusing(number, state).await)).await.0, cause, "{number}");
    }
}

async fn on_servers<Fut: Future<Output = ()>>(test: impl Fn(TestDatabase) -> Fut) {
    for engine in [Engine::MySql, Engine::MariaDb] {
        with_database(engine, &test).await;
    }
}

fn options(database: &TestDatabase) -> sqlx::mysql::MySqlConnectOptions {
    match &database.target {
        Target::MySql(options) => options.clone(),
        Target::Sqlite(_) => panic!("a server"),
    }
}

#[tokio::test]
async fn a_server_that_comes_up_is_waited_for() {
    on_servers(async |database| {
        let options = options(&database);
        let real: SocketAddr =
            format!("{}:{}", options.get_host(), options.get_port()).parse().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let starting = fake(5, Some(real), move |mut stream| {
            let nth = count.fetch_add(1, Ordering::Relaxed);
            async move {
                match nth {
                    0 => drop(stream),
                    1 | 2 => {
                        let full = refusal(1040, "08004", "Too many connections");
                        stream.write_all(&full).await.unwrap();
                    }
                    3 => {
                        let stopping = refusal(1053, "08S01", "Server shutdown in progress");
                        stream.write_all(&stopping).await.unwrap();
                    }
                    _ => {
                        // In the middle of the handshake.
                        let mut server = TcpStream::connect(real).await.unwrap();
                        let mut greeting = [0; 256];
                        let length = server.read(&mut greeting).await.unwrap();
                        stream.write_all(&greeting[..length]).await.unwrap();
                        let _ = stream.read(&mut greeting).await;
                    }
                }
            }
        })
        .await;
        let target = Target::MySql(options.port(starting.port()));
        let (result, told) = wait(&target, ENOUGH).await;
        assert_eq!(result.unwrap().attempts, 6);
        let expected = [Obstacle::Closed, Obstacle::TooManyConnections, Obstacle::Stopping];
        assert_eq!(told, expected, "each once");
    })
    .await;
}

#[tokio::test]
async fn what_waiting_can_not_change_ends_it_at_once() {
    on_servers(async |database| {
        let options = options(&database);
        let name = options.get_database().unwrap().to_owned();
        let user = format!("w{}", &name[name.len() - 12..]);
        execute(&database, &format!("CREATE USER {user} IDENTIFIED BY 'right'")).await;
        let of = |password: &str| options.clone().username(&user).password(password);
        let (cause, text) = hopeless(&Target::MySql(of("s3cret"))).await;
        assert_eq!(cause, Cause::Password);
        assert!(text.contains("Check user and password"), "{text}");
        let (cause, text) = hopeless(&Target::MySql(of("right"))).await;
        assert_eq!(cause, Cause::NoAccess, "{text}");
        execute(&database, &format!("DROP USER {user}")).await;

        let (cause, text) = hopeless(&Target::MySql(options.clone().database("no_such_db"))).await;
        assert_eq!(cause, Cause::NoDatabase);
        assert!(text.contains("no_such_db") && text.contains("Create the database"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn certificates_that_do_not_fit_end_it_at_once() {
    with_database(Engine::MySql, async |database| {
        let of =
            |parameters: &str| Target::parse(&format!("{}?{parameters}", database.url)).unwrap();
        let absent = of("ssl-mode=verify_ca&ssl-ca=/nonexistent/ca.pem");
        assert_eq!(hopeless(&absent).await.0, Cause::Tls);
        // A server's own certificate is not among those that everybody trusts.
        assert_eq!(hopeless(&of("ssl-mode=verify_ca")).await.0, Cause::Tls);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")
            .unwrap();
        let bad = of(&format!("ssl-mode=verify_ca&ssl-ca={}", file.display()));
        assert_eq!(hopeless(&bad).await.0, Cause::Tls);
    })
    .await;
}

/// A server that says what a replica says, without making a real one read-only for all other tests.
#[tokio::test]
async fn a_replica_is_waited_for_until_it_is_the_primary() {
    on_servers(async |database| {
        let options = options(&database);
        let real = format!("{}:{}", options.get_host(), options.get_port());
        let count = Arc::new(AtomicUsize::new(0));
        let replica = fake(0, None, move |client| {
            let (real, nth) = (real.clone(), count.fetch_add(1, Ordering::Relaxed));
            async move {
                let server = TcpStream::connect(real).await.unwrap();
                pass_on(client, server, nth < 2).await;
            }
        })
        .await;
        // What is to be changed on its way must not be encrypted.
        let options = options.port(replica.port()).ssl_mode(sqlx::mysql::MySqlSslMode::Disabled);
        let (result, told) = wait(&Target::MySql(options), ENOUGH).await;
        assert_eq!((result.unwrap().attempts, told), (3, vec![Obstacle::ReadOnly]));
    })
    .await;
}

/// Passes on what both say; changes the value of `read_only`.
async fn pass_on(client: TcpStream, server: TcpStream, is_read_only: bool) {
    const OFF: &[u8] = b"\x09read_only\x03OFF";
    const ON: &[u8] = b"\x09read_only\x03NO_";
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let mut buffer = vec![0; 16_384];
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        let found = buffer[..length].windows(OFF.len()).position(|window| window == OFF);
        if let Some(found) = found.filter(|_| is_read_only) {
            buffer[found..found + ON.len()].copy_from_slice(ON);
        }
        if to_client.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    up.abort();
}

#[tokio::test]
async fn a_sqlite_file_needs_a_folder_that_can_be_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let of = |path: &str| {
        Target::parse(&format!("sqlite://{}", folder.path().join(path).display())).unwrap()
    };
    let (cause, text) = hopeless(&of("absent/a.db")).await;
    assert_eq!(cause, Cause::NoFolder);
    assert!(text.contains("absent") && text.contains("Create the folder"), "{text}");

    let (result, _) = wait(&of("a.db"), ENOUGH).await;
    result.unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "waiting leaves nothing behind");

    std::fs::create_dir(folder.path().join("dir.db")).unwrap();
    assert_eq!(hopeless(&of("dir.db")).await.0, Cause::Unwritable);
    std::fs::write(
        folder.path().join("text.db"),
        "this is no database at all, just text".repeat(9),
    )
    .unwrap();
    assert_eq!(hopeless(&of("text.db")).await.0, Cause::Other);
}

#[cfg(unix)]
#[tokio::test]
async fn a_sqlite_file_that_can_not_be_written_to_ends_it_at_once() {
    use std::os::unix::fs::PermissionsExt as _;
    with_database(Engine::Sqlite, async |database| {
        execute(&database, "CREATE TABLE a (x INTEGER)").await;
        let Target::Sqlite(options) = &database.target else { return };
        let read_only = Target::Sqlite(options.clone().read_only(true));
        assert_eq!(hopeless(&read_only).await.0, Cause::Unwritable);

        let folder = options.get_filename().parent().unwrap().to_owned();
        let allow = |mode| {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        allow(0o555);
        // Root may write all the same.
        if std::fs::write(folder.join("probe"), "").is_err() {
            let (cause, text) = hopeless(&database.target).await;
            assert_eq!(cause, Cause::Unwritable, "{text}");
        }
        allow(0o755);
    })
    .await;
}

#[tokio::test]
async fn a_sqlite_file_that_is_locked_is_waited_for() {
    with_database(Engine::Sqlite, async |database| {
        execute(&database, "CREATE TABLE a (x INTEGER)").await;
        let Target::Sqlite(options) = &database.target else { return };
        let mut writer = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut writer).await.unwrap();
        assert_eq!(in_the_way(&database.target).await, Obstacle::Locked);

        let mut told = Vec::new();
        let (free, is_locked) = tokio::sync::oneshot::channel();
        let mut free = Some(free);
        let waiting = until_ready(&database.target, ENOUGH, |event| {
            told.push(event.obstacle);
            free.take().unwrap().send(()).unwrap();
        });
        let freeing = async {
            is_locked.await.unwrap();
            sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
        };
        let (waited, ()) = tokio::join!(waiting, freeing);
        assert!(waited.unwrap().attempts > 1);
        assert_eq!(told, [Obstacle::Locked]);
    })
    .await;
}
