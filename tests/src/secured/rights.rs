//! What users may do, and their passwords, through librdkafka's own functions: the wrapper has none for them.

use std::ffi::{CStr, CString};
use std::ptr;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::bindings as rd;
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaRespErr;

use super::Secured;

/// What a right is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    Topic(String),
    /// All topics that begin so.
    Topics(String),
    Group(String),
    /// All transactional ids that begin so.
    TransactionalIds(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
    Create,
    Delete,
    Describe,
}

/// A user may do this to that.
pub type Right = (Resource, Operation);

impl Secured {
    /// Lets a user do this, and nothing else that nobody else granted.
    pub fn grant(&self, user: &str, rights: &[Right]) {
        let principal = c(&format!("User:{user}"));
        let admin = self.client();
        // SAFETY: all texts are alive while they are read, and copied. Bindings are destroyed once, by the array of them,
        // after the answer; the event is read by the functions of its type.
        unsafe {
            let mut bindings: Vec<_> = rights.iter().map(|right| binding(right, &principal)).collect();
            let queue = rd::rd_kafka_queue_new(admin.inner().native_ptr());
            rd::rd_kafka_CreateAcls(
                admin.inner().native_ptr(),
                bindings.as_mut_ptr(),
                bindings.len(),
                ptr::null(),
                queue,
            );
            let event = rd::rd_kafka_queue_poll(queue, 60_000);
            assert!(!event.is_null(), "the broker answers");
            let mut count = 0;
            let result = rd::rd_kafka_event_CreateAcls_result(event);
            assert!(!result.is_null(), "{}", said(rd::rd_kafka_event_error_string(event)));
            let answers = rd::rd_kafka_CreateAcls_result_acls(result, &mut count);
            for at in 0..count {
                done(rd::rd_kafka_acl_result_error(*answers.add(at)));
            }
            rd::rd_kafka_event_destroy(event);
            rd::rd_kafka_queue_destroy(queue);
            rd::rd_kafka_AclBinding_destroy_array(bindings.as_mut_ptr(), bindings.len());
        }
    }

    /// Gives a user another password, for SCRAM-SHA-512.
    pub fn change_password(&self, user: &str, password: &str) {
        let (user, admin) = (c(user), self.client());
        // SAFETY: as above.
        unsafe {
            let mut change = rd::rd_kafka_UserScramCredentialUpsertion_new(
                user.as_ptr(),
                rd::rd_kafka_ScramMechanism_t::RD_KAFKA_SCRAM_MECHANISM_SHA_512,
                4096,
                password.as_ptr(),
                password.len(),
                ptr::null(),
                0,
            );
            let queue = rd::rd_kafka_queue_new(admin.inner().native_ptr());
            rd::rd_kafka_AlterUserScramCredentials(
                admin.inner().native_ptr(),
                &mut change,
                1,
                ptr::null(),
                queue,
            );
            let event = rd::rd_kafka_queue_poll(queue, 60_000);
            assert!(!event.is_null(), "the broker answers");
            let mut count = 0;
            let result = rd::rd_kafka_event_AlterUserScramCredentials_result(event);
            assert!(!result.is_null(), "{}", said(rd::rd_kafka_event_error_string(event)));
            let answers = rd::rd_kafka_AlterUserScramCredentials_result_responses(result, &mut count);
            for at in 0..count {
                done(rd::rd_kafka_AlterUserScramCredentials_result_response_error(*answers.add(at)));
            }
            rd::rd_kafka_event_destroy(event);
            rd::rd_kafka_queue_destroy(queue);
            rd::rd_kafka_UserScramCredentialAlteration_destroy(change);
        }
    }

    fn client(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.admin()).create().expect("an admin client")
    }
}

/// # Safety
///
/// The caller destroys it.
unsafe fn binding((resource, operation): &Right, principal: &CStr) -> *mut rd::rd_kafka_AclBinding_t {
    use rd::rd_kafka_AclOperation_t as O;
    use rd::rd_kafka_ResourcePatternType_t as P;
    use rd::rd_kafka_ResourceType_t as R;
    let (kind, pattern, name) = match resource {
        Resource::Topic(name) => (R::RD_KAFKA_RESOURCE_TOPIC, P::RD_KAFKA_RESOURCE_PATTERN_LITERAL, name),
        Resource::Topics(name) => (R::RD_KAFKA_RESOURCE_TOPIC, P::RD_KAFKA_RESOURCE_PATTERN_PREFIXED, name),
        Resource::Group(name) => (R::RD_KAFKA_RESOURCE_GROUP, P::RD_KAFKA_RESOURCE_PATTERN_LITERAL, name),
        Resource::TransactionalIds(name) => {
            (R::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, P::RD_KAFKA_RESOURCE_PATTERN_PREFIXED, name)
        }
    };
    let operation = match operation {
        Operation::Read => O::RD_KAFKA_ACL_OPERATION_READ,
        Operation::Write => O::RD_KAFKA_ACL_OPERATION_WRITE,
        Operation::Create => O::RD_KAFKA_ACL_OPERATION_CREATE,
        Operation::Delete => O::RD_KAFKA_ACL_OPERATION_DELETE,
        Operation::Describe => O::RD_KAFKA_ACL_OPERATION_DESCRIBE,
    };
    let (name, everywhere) = (c(name), c("*"));
    let allow = rd::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW;
    // SAFETY: texts are alive and copied; there is no room for words of an error, and so none are written.
    let made = unsafe {
        rd::rd_kafka_AclBinding_new(
            kind,
            name.as_ptr(),
            pattern,
            principal.as_ptr(),
            everywhere.as_ptr(),
            operation,
            allow,
            ptr::null_mut(),
            0,
        )
    };
    assert!(!made.is_null(), "{resource:?} is no resource");
    made
}

/// # Safety
///
/// It is null, or an error that is alive.
unsafe fn done(error: *const rd::rd_kafka_error_t) {
    // SAFETY: by the contract above.
    unsafe {
        let code = if error.is_null() {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        } else {
            rd::rd_kafka_error_code(error)
        };
        assert_eq!(code, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("no zero byte")
}

/// # Safety
///
/// It is a text that ends in zero.
unsafe fn said(text: *const std::ffi::c_char) -> String {
    // SAFETY: by the contract above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
