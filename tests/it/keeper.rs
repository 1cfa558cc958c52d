//! A server that keeps every request as it arrived.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrived {
    pub target: String,
    pub fields: Vec<String>,
    pub body: String,
}

/// A server that keeps every request; it redirects what asks for `/from`.
#[derive(Clone)]
pub struct Keeper {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Keeper {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let keeper = Self { address: listener.local_addr().unwrap(), arrived: Arc::default() };
        let serving = keeper.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(connection));
            }
        });
        keeper
    }

    fn serve(&self, connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        while let Some(arrived) = read_request(&mut reader) {
            let answer = match arrived.target.starts_with("/from") {
                true => "HTTP/1.1 307 x\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n",
                false => "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n",
            };
            self.arrived.lock().unwrap().push(arrived);
            if (&connection).write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// What has arrived since the last call, in order of its text.
    pub fn take(&self) -> Vec<Arrived> {
        let mut arrived = self.take_in_order();
        arrived.sort();
        arrived
    }

    /// What has arrived since the last call, in the order of its arrival.
    pub fn take_in_order(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.arrived.lock().unwrap())
    }

    /// How many requests have arrived since they were last taken.
    pub fn count(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Arrived> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let (mut fields, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let field = line.trim_end().to_owned();
        if field.is_empty() {
            break;
        }
        if let Some(value) = field.strip_prefix("Content-Length: ") {
            length = value.parse().unwrap();
        }
        fields.push(field);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Arrived { target, fields, body: String::from_utf8(body).unwrap() })
}
